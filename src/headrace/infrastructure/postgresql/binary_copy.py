"""Prints Arrow as PostgreSQL's binary COPY, and says which columns take values so. Not who sends them.

A value that COPY has no binary form for here (JSON, intervals, what is nested) travels as text, and is cast by the server.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, groupby
from typing import TYPE_CHECKING

from headrace.business.model.schema import Column, Schema
from headrace.business.model.types import (
    Boolean,
    DataType,
    Date,
    Decimal,
    Enum,
    Float,
    Integer,
    Interval,
    Json,
    List,
    Null,
    String,
    Struct,
    Time,
    Timestamp,
)  # fmt: skip
from headrace.infrastructure.postgresql.types import postgres_type
from headrace.infrastructure.sql_text import quoted

if TYPE_CHECKING:
    import pyarrow as pa

#: The category of the types of texts (`pg_type.typcategory`).
_TEXTS = "S"
#: What stands before the first row and behind the last (see "Binary Format" in PostgreSQL's manual of COPY).
_HEADER, _TRAILER = b"PGCOPY\n\xff\r\n\0" + bytes(8), b"\xff\xff"
#: How many rows are printed at once, and of how many bytes at most, so that what is printed stays small beside what there is.
ROWS, BYTES = 16_384, 32 << 20
#: From 1970, where Arrow counts from, to 2000, where PostgreSQL does.
_DAYS_TO_2000, _MICROSECONDS_TO_2000 = 10_957, 946_684_800_000_000


def travels_as_text(kind: DataType) -> bool:
    return isinstance(kind, Json | Interval | Struct | Null) or (isinstance(kind, List) and travels_as_text(kind.item))


def copied_type(kind: DataType) -> str:
    """The type of a column that takes the values as they travel."""
    return "text" if travels_as_text(kind) else postgres_type(kind)


def is_direct(column: Column, there: str, category: str) -> bool:
    """Whether a column of this type and category of types takes the values as they travel, without a cast."""
    wanted = copied_type(column.type)
    return there == wanted or (wanted == "text" and category == _TEXTS and not travels_as_text(column.type))


def takes(there: str, kind: DataType) -> bool:
    """The same of a column of which only the type is known (as `format_type` says it), and which casts nothing."""
    match kind:
        case String() | Enum():
            return there.partition("(")[0] in ("text", "character varying")
        case Decimal():
            return there.partition("(")[0] == "numeric"
        case Integer():
            return kind.bits <= 64 and there == postgres_type(kind)
        case Boolean() | Float() | Date() | Time() | Timestamp():
            return there == postgres_type(kind)
    return False


def cell(column: Column, there: str, category: str) -> str:
    """A column that took the values as they travel, as a value for a column of the type `there`. A text is read as that type where it is
    none of texts (a UUID, an enum), and put in as it is where it is: a cast would cut off what is too long."""
    name = quoted(column.name)
    return f"CAST({name} AS {there})" if copied_type(column.type) == "text" and category != _TEXTS else name


def as_text(column: Column) -> str:
    """A column as it travels, written for DuckDB, for those that travel as text."""
    name = quoted(column.name)
    if not travels_as_text(column.type):
        return name
    value = f"to_json({name})" if isinstance(column.type, Struct | List) else name
    return f"CAST({value} AS VARCHAR) AS {name}"


def printed(batches: Iterable[pa.RecordBatch], schema: Schema) -> Iterator[bytes]:
    """The rows, whose columns are those of the schema as they travel, in pieces for `COPY ... FROM STDIN (FORMAT binary)`."""
    yield _HEADER
    for _, alike in groupby(_pieces(batches, schema), key=lambda piece: piece.schema):
        yield from _rows(alike)
    yield _TRAILER


def _rows(alike: Iterator[pa.RecordBatch]) -> Iterator[bytes]:
    """Rows of one form, without header and trailer. The encoder keeps few of them until more come."""
    from pgpq import ArrowToPostgresBinaryEncoder

    first = next(alike)
    encoder = ArrowToPostgresBinaryEncoder(first.schema)
    encoder.write_header()
    for batch in chain((first,), alike):
        yield encoder.write_batch(batch)
    yield encoder.finish().removesuffix(_TRAILER)


def _pieces(batches: Iterable[pa.RecordBatch], schema: Schema) -> Iterator[pa.RecordBatch]:
    """Rows as they are printed, so many at a time as are printed at once. A column that holds infinities has another form for it."""
    for batch in batches:
        whole = _as_printed(batch, schema)
        share = min(ROWS, max(1, BYTES * whole.num_rows // max(1, whole.nbytes)))
        yield from (whole.slice(start, share) for start in range(0, whole.num_rows, share))


def _as_printed(batch: pa.RecordBatch, schema: Schema) -> pa.RecordBatch:
    import pyarrow as pa

    columns = [_since_2000(_plain(batch.column(c.name), c.type)) for c in schema]
    return pa.RecordBatch.from_arrays(columns, names=list(schema.names))


def _plain(column: pa.Array, kind: DataType) -> pa.Array:
    """A column in the type whose printed form is that of the column in PostgreSQL; what has parts stays as it is."""
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
        case Float():
            wanted = pa.float32() if kind.bits == 32 else pa.float64()
        case _:
            wanted = pa.string() if copied_type(kind) == "text" else column.type
    return column if column.type == wanted else column.cast(wanted)


def _since_2000(column: pa.Array) -> pa.Array:
    """Dates and instants whose numbers say infinity, or are too small to be moved, as numbers in PostgreSQL's own reckoning, which look
    the same in COPY. DuckDB has the greatest number for infinity and its negative for minus infinity; PostgreSQL the greatest and the
    least. All other columns stay as they are.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    days, instants = pa.types.is_date32(column.type), pa.types.is_timestamp(column.type)
    if not (days or instants):
        return column
    number, distance = (pa.int32(), _DAYS_TO_2000) if days else (pa.int64(), _MICROSECONDS_TO_2000)
    greatest = (1 << number.bit_width - 1) - 1
    least = -greatest - 1
    counted = column.view(number)
    found = pc.min_max(counted).as_py()
    if found["min"] is None or (found["min"] > least + distance and found["max"] < greatest):
        return column
    # What comes too close to the least number is before all that PostgreSQL can hold, and stays so: the server refuses it.
    kept = pc.max_element_wise(counted, pa.scalar(least + distance + 1, number), skip_nulls=False)
    moved = pc.subtract(kept, pa.scalar(distance, number))
    moved = pc.if_else(pc.equal(counted, greatest), pa.scalar(greatest, number), moved)
    return pc.if_else(pc.less_equal(counted, -greatest), pa.scalar(least, number), moved)
