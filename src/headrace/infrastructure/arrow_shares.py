"""Puts Arrow batches together into larger ones, which cost less for each row. Not what is in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

#: Of how many rows batches are asked for: as many as DuckDB works on at a time, so that wide rows take no more memory than they do there.
FEW = 2_048


def put_together(batches: Iterable[pa.RecordBatch], rows: int, most_bytes: int) -> Iterator[pa.RecordBatch]:
    """The same rows in batches of at least `rows`, or of at least `most_bytes`; the last may be smaller."""
    import pyarrow as pa

    return map(pa.concat_batches, groups(batches, rows, most_bytes))


def groups(batches: Iterable[pa.RecordBatch], rows: int, most_bytes: int) -> Iterator[list[pa.RecordBatch]]:
    """Batches that have together at least `rows`, or at least `most_bytes`, as they are."""
    waiting: list[pa.RecordBatch] = []
    count = size = 0
    for batch in batches:
        waiting.append(batch)
        count, size = count + batch.num_rows, size + batch.nbytes
        if count >= rows or size >= most_bytes:
            yield waiting
            waiting, count, size = [], 0, 0
    if waiting:
        yield waiting
