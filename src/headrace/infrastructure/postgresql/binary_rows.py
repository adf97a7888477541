"""Writes Arrow rows in the binary format of COPY, a column at a time. Not who sends them, and no values that have parts of their own.

A server takes binary rows in two thirds of the time that it needs to read their text. Numbers are laid side by side in one array of
bytes, up to the next value whose length varies; Arrow then joins these pieces and the texts between them row by row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from headrace.business.model.schema import Schema
from headrace.business.model.types import Boolean, DataType, Date, Decimal, Enum, Float, Integer, String, Time, Timestamp
from headrace.infrastructure.postgresql.binary_values import MOST_DIGITS, Cells, cells_of, numbers
from headrace.infrastructure.postgresql.types import postgres_type

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

#: What stands before the first row and behind the last (see "Binary Format" in PostgreSQL's manual of COPY).
HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"

#: How many rows are written at a time, and of how many bytes at most: what lies in the caches of a processor is written fastest.
ROWS, BYTES = 16_384, 32 << 20

#: Types whose binary form is the text itself, which the server judges as it would any other.
_TEXTS = ("text", "character varying")

_NULL = -1


def written(there: str, kind: DataType) -> bool:
    """Whether values of a type can be written for a column of the type `there` (as `format_type` says it)."""
    match kind:
        case String() | Enum():
            return there.partition("(")[0] in _TEXTS
        case Decimal():
            return kind.precision <= MOST_DIGITS and there.partition("(")[0] == "numeric"
        case Integer():
            return kind.bits <= 64 and there == postgres_type(kind) and not there.startswith("numeric")
        case Boolean() | Float() | Date() | Time() | Timestamp():
            return there == postgres_type(kind)
    return False


def binary_rows(batch: pa.RecordBatch, schema: Schema) -> Iterator[memoryview]:
    """The rows of a batch, whose columns are those of the schema in the same order, as COPY reads them, without header and trailer."""
    import pyarrow as pa

    columns = [_as(column, c.type) for column, c in zip(batch.columns, schema, strict=True)]
    whole = pa.RecordBatch.from_arrays(columns, names=list(schema.names))
    share = min(ROWS, max(1, ROWS * BYTES // max(1, _bytes_of(whole, ROWS))))
    for start in range(0, whole.num_rows, share):
        yield _rows(whole.slice(start, share), [c.type for c in schema])


def _bytes_of(batch: pa.RecordBatch, rows: int) -> int:
    """About how many bytes so many of the rows take."""
    return int(batch.nbytes * rows // max(1, batch.num_rows))


def _as(column: pa.Array, kind: DataType) -> pa.Array:
    """A column in the one type that values of a kind are written from."""
    import pyarrow as pa

    match kind:
        case Decimal():
            wanted = pa.decimal128(kind.precision, kind.scale)
        case Date():
            wanted = pa.date32()
        case Time():
            wanted = pa.time64("us")
        case Timestamp():
            wanted = pa.timestamp("us", column.type.tz if pa.types.is_timestamp(column.type) else None)
        case Boolean():
            wanted = pa.bool_()
        case Float():
            wanted = pa.float32() if kind.bits == 32 else pa.float64()
        case Integer():
            wanted = pa.type_for_alias(str(kind))
        case _:
            wanted = pa.string()
    return column if column.type == wanted else column.cast(wanted)


def _rows(batch: pa.RecordBatch, kinds: Sequence[DataType]) -> memoryview:
    import pyarrow as pa
    import pyarrow.compute as pc

    pieces: list[pa.Array] = []
    beside = _SideBySide(batch.num_rows)
    beside.add(">i2", lambda cells: cells.fill(len(kinds)))
    for column, kind in zip(batch.columns, kinds, strict=True):
        valid = _valid(column)
        if isinstance(kind, String | Enum):
            beside.add(">i4", partial(_lengths, column, valid))
            pieces += [*beside.closed(), column.cast(pa.binary())]
            beside = _SideBySide(batch.num_rows)
        elif valid is None:
            beside.add(*cells_of(column, kind))
        else:
            pieces += [*beside.closed(), _with_nulls(*cells_of(column, kind), valid)]
            beside = _SideBySide(batch.num_rows)
    pieces += beside.closed()
    joined = pc.binary_join_element_wise(*pieces, pa.scalar(b"", pa.binary()), null_handling="skip")
    ends = numbers(joined, "<i4", extra=1)
    return memoryview(joined.buffers()[2])[int(ends[0]) : int(ends[-1])]


class _SideBySide:
    """Values of fixed lengths that follow each other in a row, filled in where they will be sent from."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.columns: list[Cells] = []

    def add(self, form: Any, fill: Callable[[np.ndarray[Any, Any]], None]) -> None:
        self.columns.append((form, fill))

    def closed(self) -> list[pa.Array]:
        """As one binary value for each row; nothing where there are no columns."""
        import numpy as np

        if not self.columns:
            return []
        cells = np.zeros(self.count, dtype=[(str(i), form) for i, (form, _) in enumerate(self.columns)])
        for i, (_, fill) in enumerate(self.columns):
            fill(cells[str(i)])
        width = cells.dtype.itemsize
        return [_binary(cells.view("u1"), np.arange(0, self.count * width + 1, width, dtype="<i4"))]


def _valid(column: pa.Array) -> np.ndarray[Any, Any] | None:
    """Which values are not null; None where all are."""
    return column.is_valid().to_numpy(zero_copy_only=False) if column.null_count else None


def _lengths(texts: pa.Array, valid: np.ndarray[Any, Any] | None, cells: np.ndarray[Any, Any]) -> None:
    ends = numbers(texts, "<i4", extra=1)
    cells[:] = ends[1:] - ends[:-1]
    if valid is not None:
        cells[~valid] = _NULL


def _with_nulls(form: Any, fill: Callable[[np.ndarray[Any, Any]], None], valid: np.ndarray[Any, Any]) -> pa.Array:
    """Values of which some are null: of those only a length is written, which says so."""
    import numpy as np

    cells = np.zeros(len(valid), dtype=form)
    fill(cells)
    cells["length"][~valid] = _NULL
    width = cells.dtype.itemsize
    keep = np.ones((len(valid), width), dtype=bool)
    keep[:, 4:] = valid[:, None]
    ends = np.zeros(len(valid) + 1, dtype="<i4")
    np.cumsum(np.where(valid, width, 4), out=ends[1:])
    return _binary(cells.view("u1").reshape(len(valid), width)[keep], ends)


def _binary(data: np.ndarray[Any, Any], ends: np.ndarray[Any, Any]) -> pa.Array:
    import pyarrow as pa

    return pa.Array.from_buffers(pa.binary(), len(ends) - 1, [None, pa.py_buffer(ends), pa.py_buffer(data)])
