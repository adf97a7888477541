"""Copies the rows of a target to Parquet, in the types of the dataset that is published there, for checks that compare with it."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from pathlib import Path

from headrace.business.model.schema import Column, Schema
from headrace.business.model.types import DataType, Json, List, String, Struct
from headrace.business.ports import ArrowScan, Staged
from headrace.infrastructure.connectors.duckdb_types import duckdb_type
from headrace.infrastructure.connectors.staged_rows import empty, reader, scalar
from headrace.infrastructure.duckdb_connection import Connection
from headrace.infrastructure.sql_text import literal, quoted

_FILE = "held.parquet"


def copied(con: Connection, query: str, wanted: Schema, folder: Path) -> Staged:
    """The rows of a query that has the wanted columns."""
    path = folder / _FILE
    rows = scalar(con, f"COPY ({query}) TO {literal(str(path))} (FORMAT parquet)")
    return Staged((path,), wanted, rows, path.stat().st_size)


def copied_arrow(scan: ArrowScan, wanted: Schema, folder: Path) -> Staged:
    """The rows of a scan, which may lack some of the columns, and have others in types of its own."""
    import pyarrow as pa

    batches = scan.open()
    first = next(batches, None)
    with reader(folder) as con:
        if first is None:
            return copied(con, empty(wanted), wanted, folder)
        # The batches say how the values travel, which may be as text; the scan says what they are.
        con.register("there", pa.RecordBatchReader.from_batches(first.schema, chain([first], batches)))
        return copied(con, f"SELECT {cells({c.name: c.type for c in scan.schema}, wanted)} FROM there", wanted, folder)


def cells(there: Mapping[str, DataType | None], wanted: Schema) -> str:
    """The wanted columns, of a relation that has those of `there`."""
    return ", ".join(f"{_cell(there, column)} AS {quoted(column.name)}" for column in wanted)


def _cell(there: Mapping[str, DataType | None], column: Column) -> str:
    if column.name not in there:
        return f"CAST(NULL AS {duckdb_type(column.type)})"
    written = isinstance(there[column.name], String | Json) and isinstance(column.type, List | Struct)
    value = f"CAST({quoted(column.name)} AS JSON)" if written else quoted(column.name)
    return f"CAST({value} AS {duckdb_type(column.type)})"
