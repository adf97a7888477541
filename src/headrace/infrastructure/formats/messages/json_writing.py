"""Writes rows as JSON objects that read back as the same values. Not how they are put into messages."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from headrace.business.model.schema import Schema
from headrace.business.model.types import Binary, DataType, Decimal, Float, Interval, Json, List, Struct, Time, Timestamp
from headrace.infrastructure.duckdb_connection import connect
from headrace.infrastructure.sql_text import literal, quoted

if TYPE_CHECKING:
    import pyarrow as pa


class JsonWriter:
    """Writes each row as an object of all columns, on one line; then `packed` says what goes into one message."""

    def __init__(self, schema: Schema, packed: Callable[[pa.Array], pa.Array] = lambda lines: lines) -> None:
        members = ", ".join(f"{literal(c.name)}, {member(quoted(str(i)), c.type)}" for i, c in enumerate(schema))
        self._query = f"SELECT CAST(json_object({members}) AS VARCHAR) AS line FROM rows_to_write"
        self._packed = packed
        self._con = connect(threads=1)

    def write(self, rows: pa.RecordBatch) -> pa.Array:
        import pyarrow as pa

        if not rows.num_rows:
            return pa.array([], pa.binary())
        numbered = pa.table(rows.columns, names=[str(i) for i in range(rows.num_columns)])
        self._con.register("rows_to_write", numbered)
        try:
            written = self._con.arrow_table(self._query).column(0)
        finally:
            self._con.unregister("rows_to_write")
        return self._packed(pa.concat_arrays(written.chunks).cast(pa.binary()))


def block_of_lines(lines: pa.Array, most: int) -> pa.Array:
    """Lines joined, so many to a block, each with a line end."""
    import pyarrow as pa
    import pyarrow.compute as pc

    ends = [*range(0, len(lines), most), len(lines)]
    blocks = pa.ListArray.from_arrays(pa.array(ends, pa.int32()), lines)
    return pc.binary_join_element_wise(pc.binary_join(blocks, b"\n"), b"", b"\n")


def member(value: str, kind: DataType) -> str:
    """A value as JSON has it: numbers and booleans as such, all else as the text that a cast to its type reads."""
    match kind:
        case Decimal() if kind.precision > 15 or kind.scale > 6:  # as numbers, readers would take them for doubles
            return f"to_json(CAST({value} AS VARCHAR))"
        case Float():  # JSON has no word for these
            return f"CASE WHEN isfinite({value}) THEN to_json({value}) ELSE to_json(CAST({value} AS VARCHAR)) END"
        case Timestamp(zone=True):
            utc = f"strftime({value} AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%S.%fZ')"
            return f"to_json({utc})"
        case Timestamp():
            return f"to_json(strftime({value}, '%Y-%m-%dT%H:%M:%S.%f'))"
        case Binary():
            return f"to_json(lower(hex({value})))"
        case Time() | Interval():
            return f"to_json(CAST({value} AS VARCHAR))"
        case Json():
            return f"CAST({value} AS JSON)"
        case List():
            return f"to_json(list_transform({value}, lambda item: {member('item', kind.item)}))"
        case Struct():
            fields = ", ".join(f"{literal(n)}, {member(f'struct_extract({value}, {literal(n)})', k)}" for n, k in kind.fields)
            return f"CASE WHEN {value} IS NOT NULL THEN json_object({fields}) END"
    return f"to_json({value})"
