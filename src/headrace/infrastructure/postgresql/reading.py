"""Reads queries of PostgreSQL into Arrow: what columns a query has, and its rows in one read-only snapshot. Not which query."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from headrace.application.orchestrator import failpoints
from headrace.errors import NonRetryableError, RetryableError, RunError
from headrace.infrastructure.postgresql.arriving import typed
from headrace.infrastructure.postgresql.columns import SEVERAL_DIMENSIONS, PostgresColumn, select
from headrace.infrastructure.postgresql.faults import refused
from headrace.infrastructure.sql_text import literal

if TYPE_CHECKING:
    import psycopg
    import pyarrow as pa

#: Rows come in one order as long as nobody changes them, times as ISO 8601 in UTC, floats in full.
_SETTINGS = (
    "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
    "SET LOCAL TimeZone = 'UTC'",
    "SET LOCAL DateStyle = 'ISO'",
    "SET LOCAL synchronize_seqscans = off",
    "SET LOCAL max_parallel_workers_per_gather = 0",
)


def described(connection: psycopg.Connection[tuple[Any, ...]], query: str, shown: str) -> tuple[PostgresColumn, ...]:
    """The columns of the result. The server prepares the query, which it does with one statement alone, and runs nothing."""
    result = connection.pgconn.prepare(b"", query.encode())
    if result.status != _COMMAND_OK:
        raise _refused(result, shown)
    found = connection.pgconn.describe_prepared(b"")
    columns = tuple(
        PostgresColumn(str((found.fname(i) or b"").decode()), found.ftype(i), found.fmod(i)) for i in range(found.nfields)
    )
    names = [column.name for column in columns]
    if not names:
        raise NonRetryableError(f"{shown}: the query gives no columns", hint="write a single SELECT")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise NonRetryableError(f"{shown}: there are two columns `{twice}`", hint="name one of them with AS")
    return columns


def batches(
    url: str,
    query: str,
    columns: Sequence[PostgresColumn],
    shown: str,
    condition: str = "true",
    skip: int = 0,
    snapshot: str | None = None,
) -> Iterator[pa.RecordBatch]:
    """The rows of a query that a condition is true of, without the first `skip`. JSON is text here, and so is what `columns` has as
    text. With the name of a `snapshot` they are those that another transaction sees."""
    import pyarrow as pa
    from adbc_driver_manager import AdbcConnection, AdbcStatement, Error
    from adbc_driver_postgresql import connect

    whole = select(columns, query, condition) + (f" OFFSET {int(skip)}" if skip else "")
    try:
        # (The driver's own `dbapi` loads pandas and Polars wherever they are installed, which takes longer than many a run.)
        with connect(url) as database, AdbcConnection(database) as connection, AdbcStatement(connection) as statement:
            connection.set_autocommit(False)
            first, *rest = _SETTINGS
            for setting in (first, *([f"SET TRANSACTION SNAPSHOT {literal(snapshot)}"] if snapshot else []), *rest):
                statement.set_sql_query(setting)
                statement.execute_update()
            statement.set_sql_query(whole)
            stream, _ = statement.execute_query()
            failpoints.reached("source asked")
            with pa.RecordBatchReader.from_stream(stream) as reader:
                yield from map(typed(columns, shown), reader)
    except (Error, pa.ArrowException, OSError) as error:
        raise _broke_off(error, shown) from error


def _refused(result: Any, shown: str) -> NonRetryableError:
    """Why the server could not prepare the query, with its own hint, which knows the columns."""
    from psycopg.pq import DiagnosticField

    said = (result.error_field(DiagnosticField.MESSAGE_PRIMARY) or b"the query was refused").decode(errors="replace")
    hint = (result.error_field(DiagnosticField.MESSAGE_HINT) or b"write a single SELECT in PostgreSQL's dialect").decode(
        errors="replace"
    )
    return NonRetryableError(f"{shown}: {said}", hint=hint)


def _broke_off(error: Exception, shown: str) -> RunError:
    """What went wrong while rows came. The server says ERROR of a statement, and something else, or nothing, of a connection that
    it ends. The driver's text may end with the query, which is left out."""
    _, of_statement, said = str(error).partition("ERROR:")
    said = (said or str(error)).strip().partition("\n")[0].partition(". SQLSTATE")[0]
    if SEVERAL_DIMENSIONS in said:
        hint = "read it as text with a `query`: `CAST(column AS text)`"
        return NonRetryableError(f"{shown}: {SEVERAL_DIMENSIONS} is no list", hint=hint)
    if not of_statement:
        return RetryableError(f"{shown}: {said}", hint="try again; if it stays so, see what the server is doing")
    return refused(shown, str(getattr(error, "sqlstate", None) or "") or None, said)


#: `psycopg.pq.ExecStatus.COMMAND_OK`, which is not worth importing psycopg for.
_COMMAND_OK = 1
