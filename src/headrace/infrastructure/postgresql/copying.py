"""Feeds COPY: DuckDB prints CSV into a pipe while psycopg sends what came out of it, so that both work at once. Not a file."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from headrace.errors import RetryableError, RunError
from headrace.infrastructure.sql_text import literal, quoted_list

if TYPE_CHECKING:
    import duckdb
    import psycopg

BLOCK = 256 << 10
PIPE_BYTES = 1 << 20


def copy_rows(con: duckdb.DuckDBPyConnection, query: str, names: Sequence[str], cursor: psycopg.Cursor[Any], table: str) -> int:
    """Copy the rows of a query, whose cells are as PostgreSQL reads them, into the columns of a table. Returns how many arrived."""
    columns = quoted_list(names)
    options = "FORMAT csv, HEADER false, DELIMITER ',', QUOTE '\"', ESCAPE '\"', NULLSTR ''"
    if len(names) == 1:
        options += f", FORCE_QUOTE ({columns})"  # older servers take a line of `\.` alone for the end of the data
    con.execute("SET threads = 1")  # prints faster than a server reads; more would only take the processor from it
    statement = f"COPY {table} ({columns}) FROM STDIN (FORMAT csv)".encode()
    with _printed(con, query, options) as pipe, cursor.copy(statement) as copy:
        while block := pipe.read(BLOCK):
            copy.write(block)
    return cursor.rowcount


@contextmanager
def _printed(con: duckdb.DuckDBPyConnection, query: str, options: str) -> Iterator[BinaryIO]:
    """The rows of a query as CSV, while DuckDB prints them. An error of DuckDB is raised when all was read."""
    failed: list[RunError] = []
    with tempfile.TemporaryDirectory(prefix="headrace-") as folder:
        path = Path(folder) / "rows.csv"
        os.mkfifo(path, 0o600)
        statement = f"COPY ({query}) TO {literal(str(path))} ({options})"
        with _reading_end(path) as pipe:
            # Held open until the statement has ended, so that the reader meets neither a pipe without writer nor an early end.
            writing_end = os.open(path, os.O_WRONLY)
            printer = threading.Thread(
                target=_print, args=(con, statement, writing_end, failed), name="headrace-copy", daemon=True
            )
            printer.start()
            try:
                yield pipe
                if failed:
                    raise failed[0]
            finally:
                pipe.close()  # a printer that still has rows stops here
                printer.join()


def _reading_end(path: Path) -> BinaryIO:
    """A pipe to read from, enlarged where the system can."""
    import fcntl

    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    os.set_blocking(handle, True)
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        with suppress(OSError):
            fcntl.fcntl(handle, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    return os.fdopen(handle, "rb", buffering=0)


def _print(con: duckdb.DuckDBPyConnection, statement: str, writing_end: int, failed: list[RunError]) -> None:
    import duckdb

    try:
        con.execute(statement)
    except duckdb.Error as error:
        message = str(error).partition("\n")[0]
        failed.append(RetryableError(f"the staged rows cannot be read: {message}", hint="run the pipeline again"))
    finally:
        os.close(writing_end)
