"""A table of MySQL or MariaDB on a connection, with its ledger and fences, and how rows come into it. Not the modes (see
`table_publication`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Any

from headrace.business.model.schema import Schema
from headrace.business.model.types import DataType, Float
from headrace.business.ports import Checkpoint
from headrace.errors import NonRetryableError, RetryableError
from headrace.infrastructure.connectors import fence_table, ledger_table
from headrace.infrastructure.connectors.fence_table import FenceTable
from headrace.infrastructure.connectors.ledger_table import LedgerTable
from headrace.infrastructure.connectors.mysql_connection import asked
from headrace.infrastructure.connectors.mysql_merge_sql import MySQLHistory, MySQLMerge
from headrace.infrastructure.connectors.mysql_types import TEXT, is_text, literal_cell, mysql_type, takes
from headrace.infrastructure.connectors.staged_rows import INCOMING, scalar
from headrace.infrastructure.duckdb_connection import Connection
from headrace.infrastructure.sql_text import literal, quoted, quoted_list

if TYPE_CHECKING:
    import pymysql

LOCK_SECONDS = 60
LONGEST_NAME = 64
#: The modes of our own sessions: names and texts are written as everywhere else, and what does not fit is refused, not cut.
_MODES = "ANSI_QUOTES,NO_BACKSLASH_ESCAPES,STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,NO_ENGINE_SUBSTITUTION"
#: Whoever waited for another must see what that one wrote in its ledger and its fences, and not the state before.
SETTINGS = (
    f"SET SESSION sql_mode = '{_MODES}', SESSION time_zone = '+00:00'",
    f"SET SESSION innodb_lock_wait_timeout = {LOCK_SECONDS}, SESSION lock_wait_timeout = {LOCK_SECONDS}",
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
)
#: The length of a statement that inserts rows, at most, and how many rows are printed at a time. A key on text has so many characters.
_STATEMENT = 1 << 20
_ROWS = 5_000
_KEY_CHARACTERS = 191


@dataclass
class MySQLDatabase:
    """The table with its ledger and fences on a connection."""

    connection: pymysql.Connection[Any]
    table_name: str
    shown: str

    def __post_init__(self) -> None:
        database, _, self.bare = self.table_name.rpartition(".")
        self.database = database or str(asked(self.connection, "SELECT coalesce(database(), '')")[0][0])
        if not self.database:
            raise NonRetryableError(
                f"{self.shown}: no database is named", hint="name it in the address, or write `database.table`"
            )
        self.table = self._beside(self.bare)
        self.ledger = LedgerTable(self, self._beside(ledger_table.NAME), self.bare, TEXT)
        self.fences = FenceTable(self, self._beside(fence_table.NAME), self.bare, TEXT)

    def alone(self) -> None:
        """Be the only one who publishes to this database until the connection is closed."""
        name = literal(f"headrace {self.database}"[:LONGEST_NAME])
        if self.rows(f"SELECT GET_LOCK({name}, {LOCK_SECONDS})")[0][0] != 1:
            raise RetryableError(f"{self.shown}: another publication is under way", hint="run again when it is done")

    def run(self, statement: str) -> int:
        with self.connection.cursor() as cursor:
            cursor.execute(statement)
            return max(0, int(cursor.rowcount))

    def rows(self, query: str) -> Sequence[Sequence[Any]]:
        return asked(self.connection, query)

    def has(self, table: str) -> bool:
        return self._columns_of(table) is not None

    def columns(self) -> Mapping[str, str] | None:
        return self._columns_of(self.bare)

    def _columns_of(self, table: str) -> Mapping[str, str] | None:
        where = f"table_schema = {literal(self.database)} AND table_name = {literal(table)}"
        found = self.rows(
            f"SELECT column_name, column_type FROM information_schema.columns WHERE {where} ORDER BY ordinal_position"
        )
        return {str(name): str(kind) for name, kind in found} or None

    def _beside(self, table: str) -> str:
        return f"{quoted(self.database)}.{quoted(table)}"


@dataclass
class MySQLTable(MySQLDatabase):
    """The table in a transaction, and the staged rows on a connection of DuckDB."""

    incoming: Connection
    schema: Schema
    key: Sequence[str]
    distinct: str = ""
    defining_commits: bool = True

    def prepare(self) -> None:
        """Make sure of what the publication stands on."""
        self.ledger.create()
        self.demand_transactions()

    def demand_transactions(self) -> None:
        where = f"table_schema = {literal(self.database)} AND table_name = {literal(self.bare)}"
        engines = self.rows(f"SELECT engine FROM information_schema.tables WHERE {where}")
        if engines and str(engines[0][0]).lower() != "innodb":
            hint = f"ALTER TABLE {self.bare} ENGINE = InnoDB"
            raise NonRetryableError(f"{self.shown}: tables of the engine {engines[0][0]} know no transactions", hint=hint)

    def merging(self, target: str, incoming: str, columns: Sequence[str], key: Sequence[str], distinct: str) -> MySQLMerge:
        return MySQLMerge(target, incoming, columns, key, distinct, self._texts)

    def versioning(
        self, target: str, incoming: str, columns: Sequence[str], key: Sequence[str], distinct: str, at: str,
        valid_from: str, valid_to: str, is_current: str,
    ) -> MySQLHistory:  # fmt: skip
        return MySQLHistory(target, incoming, columns, key, distinct, at, valid_from, valid_to, is_current, self._texts)

    @property
    def _texts(self) -> frozenset[str]:
        return frozenset(c.name for c in self.schema if is_text(c.type))

    def accepts(self, there: str, kind: DataType) -> bool:
        return takes(there, kind)

    def type_of(self, kind: DataType) -> str:
        return mysql_type(kind)

    def instant(self, checkpoint: Checkpoint) -> str:
        return literal(checkpoint.at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f"))

    def load(self) -> int:
        return self._fill(self.table)

    def stage(self) -> str:
        incoming = self._stage(f", KEY ({self._indexed(self.key)})")
        self._fill(incoming)
        return incoming

    def _stage(self, more: str) -> str:
        """A table for rows on their way, with what else is said of it."""
        columns = ", ".join(f"{quoted(c.name)} {self.type_of(c.type)}" for c in self.schema)
        incoming = self._beside(INCOMING)
        self.run(f"CREATE TEMPORARY TABLE {incoming} ({columns}{more}) ENGINE = InnoDB")
        return incoming

    def create_index(self, name: str, columns: Iterable[str]) -> None:
        columns = tuple(columns)
        where = (
            f"table_schema = {literal(self.database)} AND table_name = {literal(self.bare)} AND index_name = {literal(name)}"
        )
        if not self.rows(f"SELECT 1 FROM information_schema.statistics WHERE {where} LIMIT 1"):
            self.run(f"CREATE INDEX {quoted(name)} ON {self.table} ({self._indexed(columns)})")

    def _indexed(self, columns: Sequence[str]) -> str:
        """Columns of an index; of long ones only the beginning can be in it."""
        there = self._columns_of(self.bare) or {}
        kinds = {c.name: mysql_type(c.type) for c in self.schema} | dict(there)
        long = {name for name, kind in kinds.items() if any(word in kind.lower() for word in ("text", "blob", "json"))}
        share = max(1, _KEY_CHARACTERS * 4 // max(1, 4 * len(columns)))
        return ", ".join(quoted(c) + (f"({share})" if c in long else "") for c in columns)

    def _fill(self, table: str, order: Sequence[str] = ()) -> int:
        """Insert the staged rows, many with each statement."""
        cells = " || ',' || ".join(map(literal_cell, self.schema))
        ordered = f" ORDER BY {quoted_list(order)}" if order else ""
        self.incoming.execute(f"SELECT '(' || {cells} || ')' FROM {INCOMING}{ordered}")
        head = f"INSERT INTO {table} ({quoted_list(self.schema.names)}) VALUES "
        count = 0
        while printed := self.incoming.fetchmany(_ROWS):
            values: list[str] = []
            size = 0
            for (row,) in printed:
                values.append(row)
                size += len(row)
                if size >= _STATEMENT:
                    count += self._insert(head, values)
                    values, size = [], 0
            if values:
                count += self._insert(head, values)
        return count

    def _insert(self, head: str, values: Sequence[str]) -> int:
        return int(self.connection.query(head + ",".join(values)))


def refuse_what_is_no_number(rows: Connection, schema: Schema) -> None:
    """MySQL has no NaN and no infinity."""
    for column in schema:
        if isinstance(column.type, Float):
            name = quoted(column.name)
            if count := scalar(rows, f"SELECT count(*) FROM {INCOMING} WHERE NOT isfinite({name})"):
                hint = f"make it null before: `derive: {{{column.name}: case when is_finite({column.name}) then {column.name} end}}`"
                raise NonRetryableError(
                    f"`{column.name}` is NaN or infinite in {count:,} rows, which MySQL cannot store", hint=hint
                )
