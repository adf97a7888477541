"""What tables there are, and what columns a table has. Names are as Snowflake keeps them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from headrace.infrastructure.snowflake.names import escaped, spoken, stored
from headrace.infrastructure.sql_text import literal, quoted

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection


def asked(connection: SnowflakeConnection, query: str) -> Sequence[tuple[Any, ...]]:
    """The rows of a query whose texts are written in standard SQL."""
    with connection.cursor() as cursor:
        cursor.execute(escaped(query))
        return [tuple(row) for row in cursor.fetchall()]


def parts_of(written: str, schema: str | None) -> tuple[str | None, str | None, str]:
    """Database, schema and table of a name as people write it."""
    *above, table = [stored(part) for part in written.split(".")]
    return (above[-2] if len(above) > 1 else None), (above[-1] if above else schema), table


def tables_like(connection: SnowflakeConnection, written: str) -> tuple[bool, list[str]]:
    """Whether a table is there, and the names of all beside it, as people write them."""
    database, schema, table = parts_of(written, connection.schema)
    inside = f"{quoted(database)}." if database else ""
    found = asked(
        connection,
        f"SELECT table_schema, table_name FROM {inside}information_schema.tables WHERE table_schema <> 'INFORMATION_SCHEMA'",
    )
    names = [(str(s), str(t)) for s, t in found]
    shown = [spoken(t) if s == connection.schema else f"{spoken(s)}.{spoken(t)}" for s, t in names]
    return (str(schema), table) in names, sorted(shown)


def is_there(connection: SnowflakeConnection, schema: str, table: str) -> bool:
    where = f"table_schema = {literal(schema)} AND table_name = {literal(table)}"
    return bool(asked(connection, f"SELECT 1 FROM information_schema.tables WHERE {where}"))


def has_schema(connection: SnowflakeConnection, schema: str) -> bool:
    return bool(asked(connection, f"SELECT 1 FROM information_schema.schemata WHERE schema_name = {literal(schema)}"))


def columns_of(connection: SnowflakeConnection, schema: str, table: str) -> Mapping[str, str] | None:
    """The columns with their types; None when there is no such table."""
    if not is_there(connection, schema, table):
        return None
    found = asked(connection, f"DESCRIBE TABLE {quoted(schema)}.{quoted(table)}")
    return {str(name): str(kind) for name, kind, *_ in found}
