"""Feeds COPY: with CSV that DuckDB prints into a pipe while psycopg sends what came out of it, so that both work at once; or with
Arrow rows in COPY's binary format. Not from a file.
"""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from headrace.business.model.schema import Schema
from headrace.infrastructure.postgresql.binary_copy import printed
from headrace.infrastructure.sql_text import literal, quoted_list

if TYPE_CHECKING:
    import duckdb
    import psycopg
    import pyarrow as pa

    from headrace.infrastructure.duckdb_connection import Connection

BLOCK = 256 << 10
PIPE_BYTES = 1 << 20
_LOOK_EVERY = 0.01


def copy_rows(
    con: Connection,
    query: str,
    names: Sequence[str],
    cursor: psycopg.Cursor[Any],
    table: str,
    *,
    folder: Path | None = None,
    frozen: bool = False,
) -> int:
    """Copy the rows of a query, whose cells are as PostgreSQL reads them, into the columns of a table. Returns how many arrived.

    What DuckDB raises is raised when all that it gave was sent, so that there must be a transaction to roll back. The pipe lies in
    `folder`, where DuckDB may write to that one only. Into a table that was made in the same transaction rows can come `frozen`: known
    to be visible, so that whoever reads them first need not find out.
    """
    columns = quoted_list(names)
    options = "FORMAT csv, HEADER false, DELIMITER ',', QUOTE '\"', ESCAPE '\"', NULLSTR ''"
    if len(names) == 1:
        options += f", FORCE_QUOTE ({columns})"  # older servers take a line of `\.` alone for the end of the data
    statement = f"COPY {table} ({columns}) FROM STDIN (FORMAT csv{', FREEZE' if frozen else ''})".encode()
    with _printed(con, query, options, folder) as pipe, cursor.copy(statement) as copy:
        while block := pipe.read(BLOCK):
            copy.write(block)
    return cursor.rowcount


def copy_batches(batches: Iterable[pa.RecordBatch], schema: Schema, cursor: psycopg.Cursor[Any], table: str) -> int:
    """Copy Arrow rows, whose columns are those of the schema as they travel, into columns that take them so. Returns how many arrived."""
    statement = f"COPY {table} ({quoted_list(schema.names)}) FROM STDIN (FORMAT binary)".encode()
    with cursor.copy(statement) as copy:
        for piece in printed(batches, schema):
            copy.write(piece)
    return cursor.rowcount


@contextmanager
def _printed(con: Connection, query: str, options: str, place: Path | None) -> Iterator[BinaryIO]:
    """The rows of a query as CSV, while DuckDB prints them. An error of DuckDB is raised when all was read."""
    failed: list[duckdb.Error] = []
    with tempfile.TemporaryDirectory(prefix="headrace-", dir=place) as folder:
        path = Path(folder).resolve() / "rows.csv"
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
                while printer.is_alive():
                    # One that is only about to open the pipe would wait for a reader for ever.
                    os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
                    printer.join(_LOOK_EVERY)


def _reading_end(path: Path) -> BinaryIO:
    """A pipe to read from, enlarged where the system can."""
    import fcntl

    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    os.set_blocking(handle, True)
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        with suppress(OSError):
            fcntl.fcntl(handle, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    return os.fdopen(handle, "rb", buffering=0)


def _print(con: Connection, statement: str, writing_end: int, failed: list[duckdb.Error]) -> None:
    import duckdb

    try:
        con.execute(statement)
    except duckdb.Error as error:
        failed.append(error)
    finally:
        os.close(writing_end)
