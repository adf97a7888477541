"""Reads queries of Snowflake into Arrow: what columns a query has, and its rows, batch by batch. Not which query."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from headrace.business.model.schema import Column, Schema
from headrace.business.model.types import DataType, Timestamp
from headrace.errors import NonRetryableError
from headrace.infrastructure.foreign_types import arrow_type
from headrace.infrastructure.snowflake.names import spoken
from headrace.infrastructure.snowflake.types import type_here
from headrace.infrastructure.sql_text import quoted
from headrace.records import record

if TYPE_CHECKING:
    import pyarrow as pa
    from snowflake.connector import SnowflakeConnection

#: So many digits of a second are kept here; Snowflake keeps up to nine.
_FINE = 6


@record
class SnowflakeColumn:
    """A column of a result: what it is called there, what it is here, and how its value is selected there."""

    there: str
    type: DataType
    select: str = "{}"
    note: str | None = None

    @property
    def name(self) -> str:
        return spoken(self.there)


def described(connection: SnowflakeConnection, query: str, shown: str) -> tuple[SnowflakeColumn, ...]:
    """The columns of a query, which is not carried out."""
    with connection.cursor() as cursor:
        found = [_column(m.name, m.type_code, m.precision, m.scale, shown) for m in cursor.describe(query)]
    names = [column.name for column in found]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise NonRetryableError(f"{shown}: there are two columns `{twice}`", hint="name one of them with AS")
    return tuple(found)


def _column(name: str, code: int, precision: int | None, scale: int | None, shown: str) -> SnowflakeColumn:
    from snowflake.connector.constants import FIELD_ID_TO_NAME

    there = FIELD_ID_TO_NAME[code]
    try:
        kind, select = type_here(there, precision, scale)
    except ValueError as error:
        raise NonRetryableError(
            f"{shown}: the column `{name}` has the type {there}, which Headrace does not have",
            hint="leave the column out, or convert it, with a `query` in place of the table",
        ) from error
    fine = there.startswith("TIME") and (scale or 0) > _FINE
    return SnowflakeColumn(name, kind, select, f"times in `{spoken(name)}` are cut to microseconds" if fine else None)


def schema_of(columns: Sequence[SnowflakeColumn]) -> Schema:
    return Schema(tuple(Column(c.name, c.type) for c in columns))


def selecting(columns: Sequence[SnowflakeColumn], query: str) -> str:
    """The query with every column as it is read, under our names."""
    cells = ", ".join(f"{c.select.format(quoted(c.there))} AS {quoted(c.name)}" for c in columns)
    return f"SELECT {cells} FROM ({query}\n) AS source"


def batches(connection: SnowflakeConnection, query: str, schema: Schema, shown: str) -> Iterator[pa.RecordBatch]:
    """The rows of a query, whose columns are those of a schema."""
    import pyarrow as pa

    wanted = pa.schema([pa.field(c.name, arrow_type(c.type)) for c in schema])
    cells = ", ".join(_cell(column) for column in schema)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {cells} FROM ({query}\n) AS source")
        for table in cursor.fetch_arrow_batches(force_microsecond_precision=True):
            yield from _fitted(table, wanted, shown).to_batches()


def _cell(column: Column) -> str:
    """Moments travel as microseconds since 1970: the driver makes nanoseconds of them, which end in the year 2262."""
    name = quoted(column.name)
    return f"DATE_PART(EPOCH_MICROSECOND, {name}) AS {name}" if isinstance(column.type, Timestamp) else name


def _fitted(table: pa.Table, wanted: pa.Schema, shown: str) -> pa.Table:
    import pyarrow as pa

    columns = []
    for column, field in zip(table.columns, wanted, strict=True):
        try:
            whole = column.cast(pa.int64()) if pa.types.is_timestamp(field.type) else column
            columns.append(whole.cast(field.type, safe=not pa.types.is_temporal(field.type)))
        except pa.ArrowInvalid as error:
            hint = "select it as another type with a `query`, such as CAST(column AS VARCHAR)"
            raise NonRetryableError(f"{shown}: `{field.name}` does not fit {field.type}: {error}", hint=hint) from error
    return pa.Table.from_arrays(columns, schema=wanted)
