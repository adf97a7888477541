"""What is meant for many rows, tried with few: the laws hold on either side of each threshold, and for keys that have one number."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from headrace.infrastructure.engines.duckdb import stream_keeping, stream_numbers, stream_places, stream_seeking, stream_table


@pytest.fixture(scope="module", autouse=True)
def few_are_many() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stream_places, "FEW", 6)
        patch.setattr(stream_table, "FEW_AGAIN", 3)
        patch.setattr(stream_seeking, "MANY", 8)
        patch.setattr(stream_seeking, "TIMES", 0)
        patch.setattr(stream_keeping, "ENOUGH", 16)
        patch.setattr(stream_numbers, "number_sql", _three_numbers)
        yield


def _three_numbers(values: Sequence[str]) -> str:
    return f"CAST(hash({', '.join(values)}) % 3 AS BIGINT)"
