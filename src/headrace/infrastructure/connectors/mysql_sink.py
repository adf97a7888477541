"""The sink `mysql`: a table of MySQL or MariaDB, filled in one transaction together with its ledger.

Every statement that defines something commits what came before it there. So tables, columns and indexes are made first, while
nothing has changed that readers or ledgers see; then one transaction deletes, inserts and updates, and writes the ledger.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from headrace.business.model.schema import Schema
from headrace.business.model.types import Decimal
from headrace.business.ports import Checkpoint, Publication, Staged
from headrace.business.streams.state import Outlet
from headrace.infrastructure.connectors import milestones
from headrace.infrastructure.connectors.mysql_columns import ticked
from headrace.infrastructure.connectors.mysql_connection import ReachedMySQL
from headrace.infrastructure.connectors.mysql_faults import mysql_faults
from headrace.infrastructure.connectors.mysql_source import MySQLSource
from headrace.infrastructure.connectors.mysql_table import (
    LONGEST_NAME,
    SETTINGS,
    MySQLDatabase,
    MySQLTable,
    refuse_what_is_no_number,
)
from headrace.infrastructure.connectors.mysql_types import MOST_SCALE
from headrace.infrastructure.connectors.server_sink import ServerSink
from headrace.infrastructure.connectors.snapshots import copied_arrow
from headrace.infrastructure.connectors.staged_rows import incoming_rows

if TYPE_CHECKING:
    import pymysql


class MySQLSink(ReachedMySQL, ServerSink):
    """A table of a MySQL or MariaDB database."""

    kind: ClassVar[str] = "mysql"

    def problems(self, schema: Schema) -> Iterable[str]:
        yield from self.table_problems(schema)
        if find_spec("pymysql") is None:
            yield "mysql needs PyMySQL: pip install 'headrace[mysql]'"
        if self.table.count(".") > 1:
            yield f"`{self.table}` is not the name of a table: write `table` or `database.table`"
        for name in (*self.table.split("."), *schema.names, *self.history):
            if len(name) > LONGEST_NAME or name != name.rstrip(" "):
                yield f"`{name}` cannot be a name in MySQL: it has more than {LONGEST_NAME} characters, or ends in a space"
        for column in schema:
            if isinstance(column.type, Decimal) and column.type.scale > MOST_SCALE:
                yield f"`{column.name}` is {column.type}, and MySQL has at most {MOST_SCALE} digits behind the point; cast it"

    def snapshot(self, project: Path, columns: Schema, folder: Path) -> Staged | None:
        with self._faults(self.target(project)), self._connect() as connection:
            db = self._there(connection)
            there = db.columns()
        if there is None:
            return None
        names = ", ".join(ticked(c) for c in columns.names if c in there) or "NULL AS `no column`"
        where = f" WHERE {ticked(self.is_current)}" if self.mode == "scd2" else ""
        query = f"SELECT {names} FROM {ticked(db.database)}.{ticked(db.bare)}{where}"
        rows = MySQLSource(url=self.url, connection=self.connection, query=query)
        return copied_arrow(rows.scan(project), columns, folder)

    def publish(self, project: Path, staged: Staged, checkpoint: Checkpoint) -> Publication:
        shown = self.target(project)
        with incoming_rows(staged, self.key) as rows:
            refuse_what_is_no_number(rows, staged.schema)
            milestones.reached("about to publish")
            with self._faults(shown), self._connect() as connection:
                db = MySQLTable(connection, self.table, shown, rows, staged.schema, self.key)
                db.alone()
                db.prepare()
                return self._publish_on(connection, db, staged, checkpoint, shown)

    def outlet(self, project: Path, stream: str, schema: Schema) -> Outlet:
        from headrace.infrastructure.connectors.streams.mysql_outlet import OpenMySQL
        from headrace.infrastructure.connectors.streams.table_outlet import TableOutlet

        shown = self.target(project)
        return TableOutlet(self, stream, schema, shown, OpenMySQL(self._connect, self, schema, shown))

    def _faults(self, shown: str) -> AbstractContextManager[None]:
        return mysql_faults(shown)

    @contextmanager
    def _connect(self) -> Iterator[pymysql.Connection[Any]]:
        with self.connect() as connection:
            for setting in SETTINGS:
                connection.query(setting)
            yield connection

    def _there(self, connection: pymysql.Connection[Any]) -> MySQLDatabase:
        return MySQLDatabase(connection, self.table, self.target(Path()))
