"""Loads rows of DuckDB into a table of Snowflake: as Parquet files, which PUT brings to a stage and COPY INTO takes from there."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from headrace.business.model.schema import Schema
from headrace.errors import RetryableError
from headrace.infrastructure.duckdb_connection import Connection
from headrace.infrastructure.snowflake.types import loaded_type, made_of_loaded, parquet_cell
from headrace.infrastructure.sql_text import literal, quoted

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

#: Files of about this size are what Snowflake loads side by side.
FILE_SIZE = "128MB"
#: No text is taken for null, no bytes for text, and dates and times for what the file says they are.
_FORMAT = "(TYPE = PARQUET USE_LOGICAL_TYPE = TRUE BINARY_AS_TEXT = FALSE NULL_IF = ())"


def columns_sql(schema: Schema) -> str:
    """The columns of a table that takes rows of a schema, by their places: Parquet's columns are told apart whatever their case is."""
    return ", ".join(f"C{place} {loaded_type(column.type)}" for place, column in enumerate(schema))


def loaded(table: str, schema: Schema) -> str:
    """A relation of such a table with the columns of the schema."""
    cells = (f"{made_of_loaded(f'C{place}', c.type)} AS {quoted(c.name)}" for place, c in enumerate(schema))
    return f"(SELECT {', '.join(cells)} FROM {table})"


def copy_sql(table: str, place: str) -> str:
    """The statement that takes the files at a place on a stage into a table, and removes them there."""
    return (
        f"COPY INTO {table} FROM {place}/ FILE_FORMAT = {_FORMAT} MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE "
        "ON_ERROR = ABORT_STATEMENT PURGE = TRUE"
    )


def load(
    con: Connection,
    relation: str,
    schema: Schema,
    connection: SnowflakeConnection,
    table: str,
    stage: str,
    folder: Path,
) -> int:
    """Copy a relation of DuckDB into a table of `columns_sql` that is there; how many rows arrived. `stage` is one that is there too,
    and the files are written below `folder` on their way."""
    with tempfile.TemporaryDirectory(prefix="headrace-", dir=folder) as files:
        where = Path(files) / "rows"
        cells = ", ".join(f"{parquet_cell(quoted(c.name), c.type)} AS C{place}" for place, c in enumerate(schema))
        options = f"FORMAT parquet, COMPRESSION zstd, FILE_SIZE_BYTES '{FILE_SIZE}'"
        copied = con.execute(f"COPY (SELECT {cells} FROM {relation}) TO {literal(str(where))} ({options})")
        written = int(copied.fetchall()[0][0])
        paths = sorted(where.rglob("*.parquet")) if written else []
        arrived = _copied(connection, paths, table, f"@{stage}/{secrets.token_hex(8)}")
    if arrived != written:
        raise RetryableError(f"{written} rows were sent to Snowflake, but {arrived} arrived", hint="run the pipeline again")
    return arrived


def _copied(connection: SnowflakeConnection, paths: Sequence[Path], table: str, place: str) -> int:
    """Bring files to a place on a stage and from there into the table, and leave nothing there."""
    if not paths:
        return 0
    with connection.cursor() as cursor:
        for path in paths:
            source = literal(f"file://{path}")
            cursor.execute(f"PUT {source} {place} AUTO_COMPRESS = FALSE OVERWRITE = TRUE")
        cursor.execute(copy_sql(table, place))
        return sum(int(str(row[3])) for row in cursor.fetchall())
