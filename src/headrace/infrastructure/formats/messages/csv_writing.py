"""Writes rows as records of delimited text that read back as the same values. Not how they are read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from headrace.business.model.schema import Schema
from headrace.business.model.types import Binary, DataType, Float, List, Struct, Timestamp
from headrace.errors import NonRetryableError
from headrace.infrastructure.duckdb_connection import connect
from headrace.infrastructure.formats.messages.json_writing import member
from headrace.infrastructure.sql_text import literal, quoted

if TYPE_CHECKING:
    import pyarrow as pa


class CsvWriter:
    """Writes so many records into each message; with a header, before the records of each."""

    def __init__(self, schema: Schema, delimiter: str, quote: str, most: int, *, header: bool) -> None:
        if not quote:
            raise NonRetryableError(
                "without quotes, no text can be written that holds a delimiter",
                hint="leave out `quote`, or choose another format",
            )
        cells = [_cell(quoted(str(i)), column.type, delimiter, quote) for i, column in enumerate(schema)]
        self._query = f"SELECT concat_ws({literal(delimiter)}, {', '.join(cells)}) AS line FROM rows_to_write"
        self._header = self.header(schema.names, delimiter, quote) if header else b""
        self._most = most
        self._con = connect(threads=1)

    @staticmethod
    def header(names: Iterable[str], delimiter: str, quote: str) -> bytes:
        """A first line with these names."""
        return (delimiter.join(f"{quote}{name.replace(quote, quote * 2)}{quote}" for name in names) + "\n").encode()

    def write(self, rows: pa.RecordBatch) -> pa.Array:
        import pyarrow as pa
        import pyarrow.compute as pc

        if not rows.num_rows:
            return pa.array([], pa.binary())
        self._con.register("rows_to_write", pa.table(rows.columns, names=[str(i) for i in range(rows.num_columns)]))
        try:
            lines = pa.concat_arrays(self._con.arrow_table(self._query).column(0).chunks).cast(pa.binary())
        finally:
            self._con.unregister("rows_to_write")
        ends = [*range(0, len(lines), self._most), len(lines)]
        blocks = pc.binary_join(pa.ListArray.from_arrays(pa.array(ends, pa.int32()), lines), b"\n")
        return pc.binary_join_element_wise(self._header, blocks, b"\n", b"")


def _cell(value: str, kind: DataType, delimiter: str, quote: str) -> str:
    """A value as the text that a cast to its type reads: nothing for null, and in quotes what would be read as something else."""
    written = f"CAST({value} AS VARCHAR)"
    match kind:
        case Float():
            written = f"CASE WHEN isnan({value}) THEN 'nan' ELSE {written} END"
        case Timestamp(zone=True):
            written = f"strftime({value} AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%S.%fZ')"
        case Timestamp():
            written = f"strftime({value}, '%Y-%m-%dT%H:%M:%S.%f')"
        case Binary():
            written = f"lower(hex({value}))"
        case List() | Struct():
            written = f"CAST({member(value, kind)} AS VARCHAR)"
    odd = " OR ".join(
        f"contains(written, {sign})" for sign in (literal(delimiter), literal(quote), "chr(10)", "chr(13)", "chr(32)")
    )
    enclosed = f"{literal(quote)} || replace(written, {literal(quote)}, {literal(quote * 2)}) || {literal(quote)}"
    return (
        f"coalesce(list_transform([{written}], lambda written: "
        f"CASE WHEN written = '' OR {odd} THEN {enclosed} ELSE written END)[1], '')"
    )
