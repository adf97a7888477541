from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest
from tests.conformance.steps.kitchen import Kitchen


@pytest.fixture
def kitchen() -> Iterator[Kitchen]:
    """A database in which no order of rows can be relied on that was not asked for."""
    with duckdb.connect(config={"threads": 2, "preserve_insertion_order": False}) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        yield Kitchen(connection)
