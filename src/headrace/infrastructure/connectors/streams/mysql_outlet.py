"""Takes the epochs of a stream into a table of MySQL or MariaDB, over one connection that stays open.

What defines something is done when the stream is taken, because it commits what came before it; an epoch is rows and a number alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import gettempdir
from typing import TYPE_CHECKING, Any

from headrace.business.model.schema import Schema
from headrace.infrastructure.connectors import table_publication
from headrace.infrastructure.connectors.mysql_faults import mysql_faults
from headrace.infrastructure.connectors.mysql_merge_sql import MySQLEpochMerge
from headrace.infrastructure.connectors.mysql_table import MySQLTable, refuse_what_is_no_number
from headrace.infrastructure.connectors.mysql_types import TEXT
from headrace.infrastructure.connectors.publishing import TableOptions
from headrace.infrastructure.connectors.staged_rows import define_arrived, reader
from headrace.infrastructure.connectors.streams import stream_table
from headrace.infrastructure.connectors.streams.stream_table import StreamTable
from headrace.infrastructure.duckdb_connection import Connection

if TYPE_CHECKING:
    import pyarrow as pa
    import pymysql

#: So that the row of one stream is locked, and not all rows on the way to it.
_KEYS = ', KEY ("target"(60), "stream"(60))'


@dataclass
class OpenMySQL:
    """The connection, and a DuckDB that prints the rows."""

    connect: Callable[[], AbstractContextManager[pymysql.Connection[Any]]]
    options: TableOptions
    schema: Schema
    shown: str
    _con: pymysql.Connection[Any] | None = None
    _rows: Connection | None = None
    _open: ExitStack = field(default_factory=ExitStack)

    @contextmanager
    def transaction(self, rows: pa.Table | None = None) -> Iterator[_EpochTable]:
        with mysql_faults(self.shown), ExitStack() as unless_committed:
            unless_committed.callback(self.close)
            if self._con is None or self._rows is None:
                self._con = self._open.enter_context(self.connect())
                self._rows = self._open.enter_context(reader(Path(gettempdir())))
            if rows is not None:
                define_arrived(self._rows, rows, self.schema)
                refuse_what_is_no_number(self._rows, self.schema)
            self._con.begin()
            options = self.options
            db = _EpochTable(self._con, options.table, self.shown, self._rows, self.schema, options.key)
            yield db
            self._con.commit()
            db.let_others()
            unless_committed.pop_all()

    def close(self) -> None:
        self._con = self._rows = None
        self._open.close()


@dataclass
class _EpochTable(MySQLTable):
    _is_alone: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self.streams = StreamTable(self, self._beside(stream_table.NAME), self.bare, TEXT, _KEYS)

    def alone(self) -> None:
        super().alone()
        self._is_alone = True
        self.demand_transactions()

    def let_others(self) -> None:
        if self._is_alone:
            self.run("DO RELEASE_ALL_LOCKS()")

    def demand_key(self) -> None:
        self.create_index(self._index, self.key)

    @property
    def _index(self) -> str:
        return table_publication.index_name(self.table_name, self.key)

    def merge(self) -> tuple[int, int]:
        incoming = self._stage("")
        count = self._fill(incoming, self.key)  # in the order of the index by which they are looked up
        merge = MySQLEpochMerge(self.table, incoming, self.schema.names, self.key, self.distinct, self._texts, self._index)
        inserted = self.run(merge.insert_new())
        known = count - inserted
        updated = self.run(statement) if known and (statement := merge.update_changed()) else 0
        self.run(f"DROP TEMPORARY TABLE {incoming}")
        return inserted, min(updated, known)  # others may have written several rows of a key
