"""Prints Arrow as PostgreSQL's binary COPY, for tables of our own making whose columns are known. Not for every table there is.

A value that COPY has no binary form for here (JSON, intervals, what is nested) travels as text, and is cast by the server.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from headrace.business.model.schema import Column, Schema
from headrace.business.model.types import DataType, Interval, Json, List, Null, Struct
from headrace.infrastructure.postgresql.types import postgres_type
from headrace.infrastructure.sql_text import quoted

if TYPE_CHECKING:
    import pyarrow as pa

#: The category of the types of texts (`pg_type.typcategory`).
_TEXTS = "S"
#: How many rows are printed at once, so that what is printed stays small beside what there is.
_ROWS = 50_000


def travels_as_text(kind: DataType) -> bool:
    return isinstance(kind, Json | Interval | Struct | Null) or (isinstance(kind, List) and travels_as_text(kind.item))


def copied_type(kind: DataType) -> str:
    """The type of a column that takes the values as they travel."""
    return "text" if travels_as_text(kind) else postgres_type(kind)


def is_direct(column: Column, there: str, category: str) -> bool:
    """Whether a column of this type and category of types takes the values as they travel, without a cast."""
    wanted = copied_type(column.type)
    return there == wanted or (wanted == "text" and category == _TEXTS and not travels_as_text(column.type))


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


def printed(rows: pa.Table, schema: Schema) -> Iterator[bytes]:
    """The rows, whose columns are as they travel, in pieces for `COPY ... FROM STDIN (FORMAT binary)`."""
    from pgpq import ArrowToPostgresBinaryEncoder

    rows = rows.select(schema.names)
    encoder = ArrowToPostgresBinaryEncoder(rows.schema)
    yield encoder.write_header()
    for batch in rows.to_batches(max_chunksize=_ROWS):
        yield encoder.write_batch(batch)
    yield encoder.finish()
