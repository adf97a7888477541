"""Reads rows of MySQL or MariaDB as Arrow, on a connection that holds one moment of the database. Not which rows (see `mysql_source`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from headrace.errors import NonRetryableError
from headrace.infrastructure.connectors.mysql_columns import MySQLColumn, parsed
from headrace.infrastructure.foreign_types import arrow_type

if TYPE_CHECKING:
    import pyarrow as pa
    import pymysql

#: So much text is parsed at a time, and so many rows are asked of the driver at a time.
_BLOCK = 4 << 20
_ROWS = 200

_SETTINGS = (
    "SET SESSION time_zone = '+00:00', SESSION net_write_timeout = 3600",
    "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
)
_SNAPSHOT = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"

Connect = Callable[..., "pymysql.Connection[Any]"]


@contextmanager
def reading(connect: Connect) -> Iterator[pymysql.Connection[Any]]:
    """A connection for reading, as yet of no moment. It hands out rows as they come."""
    from pymysql.cursors import SSCursor

    connection = connect(cursorclass=SSCursor, use_unicode=False)
    try:
        for setting in _SETTINGS:
            connection.query(setting)
        yield connection
    finally:
        _break_off(connection)


@contextmanager
def snapshot(connect: Connect) -> Iterator[pymysql.Connection[Any]]:
    """A connection whose reading is all of one moment."""
    with reading(connect) as connection:
        hold(connection)
        yield connection


def hold(connection: pymysql.Connection[Any]) -> None:
    """From here on a connection sees this moment."""
    connection.query(_SNAPSHOT)


def batches(
    connection: pymysql.Connection[Any], query: str, columns: Sequence[MySQLColumn], origin: str
) -> Iterator[pa.RecordBatch]:
    """The rows of a query of lines of CSV (see `mysql_columns.select`)."""
    import pyarrow as pa

    schema = pa.schema([pa.field(c.name, arrow_type(c.type)) for c in columns])
    cursor = connection.cursor()
    cursor.execute(query)
    lines: list[bytes] = []
    size = 0
    while rows := cursor.fetchmany(_ROWS):
        for (line,) in rows:
            if line is None:
                raise _too_large(origin)
            lines.append(line)
            size += len(line)
        if size >= _BLOCK:
            yield _parsed(columns, lines, schema, origin)
            lines, size = [], 0
    if lines:
        yield _parsed(columns, lines, schema, origin)


def _parsed(columns: Sequence[MySQLColumn], lines: Sequence[bytes], schema: pa.Schema, origin: str) -> pa.RecordBatch:
    import pyarrow as pa

    try:
        return parsed(columns, b"\n".join(lines) + b"\n", schema)
    except pa.ArrowInvalid as error:
        said = str(error).partition("\n")[0]
        hint = (
            "the server allows what is no value elsewhere: select it otherwise with `query`, such as NULLIF(day, '0000-00-00'), "
            "or TIME_TO_SEC(t) for times beyond 24 hours"
        )
        raise NonRetryableError(f"{origin}: {said}", hint=hint) from error


def _too_large(origin: str) -> NonRetryableError:
    return NonRetryableError(
        f"{origin}: a row is larger than the server's `max_allowed_packet`", hint="raise it there, or leave a column out"
    )


def _break_off(connection: Any) -> None:
    """Close a connection without first reading all rows that are left, as the driver would."""
    if connection._result is not None:  # noqa: SLF001
        connection._result.unbuffered_active = False  # noqa: SLF001
    connection._force_close()  # noqa: SLF001
