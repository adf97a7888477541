"""Lets rows that nothing judges, and that are published as they come, come to rest as they arrive: in the file that they are published
from, without a table before it. Not what becomes of other rows.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from headrace.business.model.types import Binary, Boolean, DataType, Date, Decimal, Float, Integer, String, Timestamp
from headrace.business.ports import ArrowScan, FileDigest
from headrace.business.processing.expressions.ir import ColumnRef
from headrace.business.processing.plan import Plan, PlannedSource
from headrace.business.validation.compiled import Cell, raw
from headrace.errors import NonRetryableError
from headrace.infrastructure.engines.duckdb.literals import identifier
from headrace.infrastructure.foreign_types import arrow_type
from headrace.records import record

if TYPE_CHECKING:
    import pyarrow as pa


@record
class Passed:
    """What arrived of a source, at rest."""

    path: Path
    rows: int
    digest: FileDigest


def passes(plan: Plan, source: PlannedSource) -> bool:
    """Whether the rows of a source are published as they come: no rule, no cursor, no value that is made of another one."""
    scan, contract = source.scan, source.contract
    return (
        isinstance(scan, ArrowScan)
        and not scan.files
        and source.name in plan.staged
        and source.cursor is None
        and not contract.everything
        and all(map(_as_it_comes, contract.cells))
    )


def _as_it_comes(cell: Cell) -> bool:
    same = isinstance(cell.value, ColumnRef) and cell.value.name == raw(cell.source)
    return cell.tidied is None and same and _written_alike(cell.column.type)


def _written_alike(kind: DataType) -> bool:
    """Whether Arrow's writer makes the same column of Parquet of it as DuckDB's."""
    plain = Boolean | Float | Decimal | String | Binary | Date | Timestamp
    return isinstance(kind, plain) or (isinstance(kind, Integer) and kind.bits <= 64)


def written_down(source: PlannedSource) -> str:
    """What is taken of such a source, for people to read."""
    columns = [f"{identifier(c.source)} AS {identifier(c.column.name)}" for c in _needed(source)]
    return f"SELECT {', '.join(columns)}\nFROM {identifier(source.origin)}"


def _needed(source: PlannedSource) -> list[Cell]:
    return [cell for cell in source.contract.cells if cell.column.name in source.needed]


class Passing:
    """One reading of such a source. Its batches may turn out to be of other types than the source said: then they are DuckDB's to convert,
    and `opened` is how they come, those that were looked at already before the others."""

    def __init__(self, source: PlannedSource, scan: ArrowScan) -> None:
        self._cells = _needed(source)
        self._origin = scan.origin or "the source"
        self._batches: Iterator[pa.RecordBatch] = scan.open()
        self._stopping = threading.Event()

    def begins(self) -> bool:
        """Whether there is a first batch, of the types that were said."""
        first = next(self._batches, None)
        if first is None:
            return False
        self._batches = chain((first,), self._batches)
        return self._alike(first)

    def opened(self) -> Iterator[pa.RecordBatch]:
        return self._batches

    def written(self, path: Path) -> Passed:
        """Raises `KeyboardInterrupt` when it is stopped."""
        import pyarrow as pa

        from headrace.infrastructure.formats.parquet_writing import write_parquet

        schema = pa.schema([pa.field(cell.column.name, arrow_type(cell.column.type)) for cell in self._cells])
        rows, digest = write_parquet(schema, self._as_written(schema), path, lasting=True)
        return Passed(path, rows, digest)

    def stop(self) -> None:
        """May be called from another thread."""
        self._stopping.set()

    def _as_written(self, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        for batch in self._batches:
            if self._stopping.is_set():
                raise KeyboardInterrupt
            if not self._alike(batch):
                hint = "see that the batches have the columns that the source declares"
                raise NonRetryableError(f"{self._origin}: a batch has other columns than the first", hint=hint)
            yield pa.RecordBatch.from_arrays([batch.column(cell.source) for cell in self._cells], schema=schema)

    def _alike(self, batch: pa.RecordBatch) -> bool:
        found = {field.name: field.type for field in batch.schema}
        return all(found.get(cell.source) == arrow_type(cell.column.type) for cell in self._cells)
