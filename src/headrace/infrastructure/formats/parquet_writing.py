"""Writes Arrow batches to a Parquet file with a checksum in each page, in row groups as large as DuckDB's. Not where it lies.

Pages are made in a thread beside whoever makes the batches.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import ExitStack
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headrace.business.ports import FileDigest
from headrace.errors import RetryableError
from headrace.infrastructure.arrow_shares import groups

if TYPE_CHECKING:
    import pyarrow as pa

_GROUP_ROWS, _GROUP_BYTES = 122_880, 64 << 20
#: Of so many values of a column at most half may be different for a dictionary to be worth its making.
_LOOKED_AT = 8_192


def write_parquet(
    schema: pa.Schema, batches: Iterable[pa.RecordBatch], path: Path, *, lasting: bool = False
) -> tuple[int, FileDigest]:
    """How many rows were written, and what the file holds. A file that is read once if at all is written quickly: one that is `lasting`
    has statistics, and dictionaries where they make it smaller."""
    with path.open("wb", buffering=0) as file, ThreadPoolExecutor(1, thread_name_prefix="headrace-parquet") as beside:
        hashed = _Hashed(file)
        with ExitStack() as undone:
            undone.callback(hashed.let_go)
            rows = _written(_Writing(schema, hashed, lasting=lasting), _tables(schema, batches), beside)
            undone.pop_all()
    return rows, FileDigest(hashed.digest.hexdigest(), hashed.bytes)


def _written(writing: _Writing, groups: Iterable[pa.Table], beside: Executor) -> int:
    """One group is written while the next is made."""
    rows = 0
    under_way: Future[None] | None = None
    for group in groups:
        if under_way is not None:
            under_way.result()
        under_way = beside.submit(writing.write, group)
        rows += group.num_rows
    if under_way is not None:
        under_way.result()
    writing.close()
    return rows


def _tables(schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    import pyarrow as pa

    for group in groups(batches, _GROUP_ROWS, _GROUP_BYTES):
        yield pa.Table.from_batches(group, schema)


class _Writing:
    """The writer of one file, which is opened when the first rows say how."""

    def __init__(self, schema: pa.Schema, sink: _Hashed, *, lasting: bool) -> None:
        self.schema, self.sink, self.lasting = schema, sink, lasting
        self._writer: Any = None

    def write(self, rows: pa.Table) -> None:
        if self._writer is None:
            self._open(rows)
        self._writer.write_table(rows)

    def close(self) -> None:
        if self._writer is None:
            self._open(self.schema.empty_table())
        self._writer.close()

    def _open(self, first: pa.Table) -> None:
        from pyarrow.parquet import ParquetWriter

        options: dict[str, Any] = {"store_decimal_as_integer": True, "write_page_checksum": True, "store_schema": False}
        repeating = _repeating(first) if self.lasting else False
        self._writer = ParquetWriter(self.sink, self.schema, use_dictionary=repeating, write_statistics=self.lasting, **options)


def _repeating(rows: pa.Table) -> list[str]:
    """The columns whose values come again and again."""
    import pyarrow.compute as pc

    looked_at = rows.slice(0, _LOOKED_AT)
    return [
        name
        for name, column in zip(looked_at.column_names, looked_at.columns, strict=True)
        if pc.count_distinct(column).as_py() * 2 <= looked_at.num_rows
    ]


class _Hashed:
    """A file that is hashed as it is written. It is what Arrow takes for a file to write to."""

    closed = False
    _let_go = False

    def __init__(self, file: FileIO) -> None:
        self.file, self.bytes = file, 0
        self.digest = hashlib.sha256(usedforsecurity=False)

    def let_go(self) -> None:
        """Take what is still written, and forget it: Arrow ends a file that nobody wants any more, whenever it lets go of it."""
        self._let_go = True

    def write(self, data: Any) -> int:
        if self._let_go:
            return len(data)
        try:
            self.file.write(data)
        except OSError as error:
            hint = "see that the disk is not full"
            raise RetryableError(f"`{self.file.name}` cannot be written: {error.strerror or error}", hint=hint) from error
        self.digest.update(data)
        self.bytes += len(data)
        return len(data)

    def tell(self) -> int:
        return self.bytes

    def flush(self) -> None:
        """It is flushed when it is closed, by whoever opened it."""

    def close(self) -> None:
        """As above."""

    def writable(self) -> bool:
        return True

    def readable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False
