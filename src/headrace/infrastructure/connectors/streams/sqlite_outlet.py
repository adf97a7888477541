"""Takes the epochs of a stream into a table of an SQLite file, over one connection that stays open; others read meanwhile."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import gettempdir
from typing import TYPE_CHECKING

from headrace.business.model.schema import Schema
from headrace.infrastructure.connectors import table_publication
from headrace.infrastructure.connectors.publishing import TableOptions
from headrace.infrastructure.connectors.sqlite_table import SQLiteTable, refuse_nan, sqlite_faults
from headrace.infrastructure.connectors.staged_rows import define_arrived, reader
from headrace.infrastructure.connectors.streams import stream_table
from headrace.infrastructure.connectors.streams.stream_table import StreamTable
from headrace.infrastructure.connectors.table_publication import merged
from headrace.infrastructure.duckdb_connection import Connection
from headrace.infrastructure.sql_text import quoted

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass
class OpenSQLite:
    """A connection to the file, and a DuckDB that turns rows into what SQLite holds."""

    connect: Callable[[], sqlite3.Connection]
    options: TableOptions
    schema: Schema
    shown: str
    _con: sqlite3.Connection | None = None
    _rows: Connection | None = None
    _open: ExitStack = field(default_factory=ExitStack)

    @contextmanager
    def transaction(self, rows: pa.Table | None = None) -> Iterator[_EpochTable]:
        with sqlite_faults(self.shown), ExitStack() as unless_committed:
            unless_committed.callback(self.close)
            if self._con is None or self._rows is None:
                self._con, self._rows = self.connect(), self._open.enter_context(reader(Path(gettempdir())))
                self._open.callback(self._con.close)
            if rows is not None:
                define_arrived(self._rows, rows, self.schema)
                refuse_nan(self._rows, self.schema)
            self._con.execute("BEGIN IMMEDIATE")
            db = _EpochTable(self._con, self.options.table, self._rows, self.schema, self.options.key, shown=self.shown)
            yield db
            self._con.execute("COMMIT")
            unless_committed.pop_all()

    def close(self) -> None:
        self._con = self._rows = None
        self._open.close()


@dataclass
class _EpochTable(SQLiteTable):
    shown: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.streams = StreamTable(self, quoted(stream_table.NAME), self.table_name)

    def alone(self) -> None:
        """Nobody else has begun to write."""

    def demand_key(self) -> None:
        self.create_index(table_publication.index_name(self.table_name, self.key), self.key)

    def merge(self) -> tuple[int, int]:
        incoming = self.stage()
        done = merged(self, self.merging(self.table, incoming, self.schema.names, self.key, self.distinct), self.shown)
        self.con.execute(f"DROP TABLE {incoming}")
        return done.inserted, done.updated
