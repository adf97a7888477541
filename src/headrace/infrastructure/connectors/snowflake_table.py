"""A table of Snowflake as a target: with its ledger and its fences on one session, and the table that holds the rows that are to come
into it. Not the modes (see `table_publication`).
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headrace.business.model.schema import Schema
from headrace.business.model.types import DataType
from headrace.business.ports import Checkpoint
from headrace.errors import NonRetryableError, RunError
from headrace.infrastructure.connectors import fence_table, ledger_table
from headrace.infrastructure.connectors.fence_table import FenceTable
from headrace.infrastructure.connectors.ledger_table import LedgerTable
from headrace.infrastructure.connectors.snowflake_merge_sql import SnowflakeHistory, SnowflakeMerge
from headrace.infrastructure.duckdb_connection import Connection
from headrace.infrastructure.snowflake.catalog import asked, columns_of, has_schema, is_there, parts_of
from headrace.infrastructure.snowflake.faults import snowflake_faults
from headrace.infrastructure.snowflake.loading import columns_sql, load, loaded
from headrace.infrastructure.snowflake.names import escaped
from headrace.infrastructure.snowflake.types import snowflake_type, takes
from headrace.infrastructure.sql_text import literal, quoted, quoted_list

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

#: The table whose only row everyone changes who publishes to the schema: whoever did so first is alone until the commit.
_LOCKS = "_headrace_lock"
_TEXT = "VARCHAR"


@dataclass
class SnowflakeDatabase:
    """The table with its ledger and fences on a session that commits every statement by itself."""

    connection: SnowflakeConnection
    table_name: str

    def __post_init__(self) -> None:
        _, schema, self.bare = parts_of(self.table_name, self.connection.schema)
        if not schema:
            raise NonRetryableError(
                f"snowflake ({self.table_name}): no schema is active", hint="name it in the connection, or write `schema.table`"
            )
        self.schema, self._own = schema, frozenset[str]()
        self.table = self.beside(self.bare)
        self.ledger = LedgerTable(self, self.beside(ledger_table.NAME), self.bare, _TEXT)
        self.fences = FenceTable(self, self.beside(fence_table.NAME), self.bare, _TEXT)

    def _prepare(self) -> None:
        """Make what a publication stands on, as far as it is not there."""
        texts = ", ".join(f'"{name}" {_TEXT} NOT NULL' for name in ("target", "pipeline", "issuer"))
        own: dict[str, Callable[[], object]] = {
            ledger_table.NAME: self.ledger.create,
            fence_table.NAME: lambda: self.run(
                f'CREATE TABLE IF NOT EXISTS {self.fences.table} ({texts}, "token" BIGINT NOT NULL)'
            ),
            _LOCKS: self._make_lock,
        }
        listed = ", ".join(map(literal, own))
        where = f"table_schema = {literal(self.schema)} AND table_name IN ({listed})"
        there = {str(name) for (name,) in self.rows(f"SELECT table_name FROM information_schema.tables WHERE {where}")}
        if not there and not has_schema(self.connection, self.schema):
            self.run(f"CREATE SCHEMA IF NOT EXISTS {quoted(self.schema)}")
        for name, make in own.items():
            if name not in there:
                make()
        self._own = frozenset(own)

    def _make_lock(self) -> None:
        self.run(f'CREATE TABLE IF NOT EXISTS {self.beside(_LOCKS)} ("times" BIGINT NOT NULL)')
        if not self.rows(f"SELECT 1 FROM {self.beside(_LOCKS)}"):
            self.run(f"INSERT INTO {self.beside(_LOCKS)} VALUES (0)")

    def alone(self) -> None:
        """Begin a transaction in which nobody else publishes to this schema. What it stands on is made before it."""
        if not self._own:
            self._prepare()
        self.run("BEGIN")
        self.run(f'UPDATE {self.beside(_LOCKS)} SET "times" = "times" + 1')

    def run(self, statement: str) -> int:
        with self.connection.cursor() as cursor:
            cursor.execute(escaped(statement))
            return max(0, cursor.rowcount or 0)

    def rows(self, query: str) -> Sequence[Sequence[Any]]:
        return asked(self.connection, query)

    def has(self, table: str) -> bool:
        return table in self._own or is_there(self.connection, self.schema, table)

    def columns(self) -> Mapping[str, str] | None:
        return columns_of(self.connection, self.schema, self.bare)

    def beside(self, table: str) -> str:
        return f"{quoted(self.schema)}.{quoted(table)}"


@dataclass
class Incoming:
    """The rows that are to come: a relation of DuckDB, or a query inside the database. Columns have the names that they have there."""

    schema: Schema
    con: Connection | None = None
    relation: str = ""
    folder: Path = field(default_factory=Path)
    inside: str = ""


@dataclass
class SnowflakeTable(SnowflakeDatabase):
    """The table, and a table beside it with the rows that are to come into it."""

    incoming: Incoming
    distinct = "IS DISTINCT FROM"
    defining_commits = True
    merging = SnowflakeMerge
    versioning = SnowflakeHistory

    def __post_init__(self) -> None:
        super().__post_init__()
        self._arrived = ""

    @contextmanager
    def arrived(self) -> Iterator[None]:
        """Have the rows in the database for as long as this lasts, in types in which they can be compared with those of the target."""
        if self.incoming.con is None:
            self._arrived = self.incoming.inside
            yield
            return
        name = f"_headrace_incoming_{secrets.token_hex(8)}"
        table, stage = self.beside(name), self.beside(f"{name}_stage")
        schema = self.incoming.schema
        try:
            self.run(f"CREATE TRANSIENT TABLE {table} ({columns_sql(schema)})")
            self.run(f"CREATE TEMPORARY STAGE {stage}")
            load(self.incoming.con, self.incoming.relation, schema, self.connection, table, stage, self.incoming.folder)
            self._arrived = loaded(table, schema)
            yield
        finally:
            with suppress(RunError), snowflake_faults(self.table_name):
                self.connection.rollback()  # to drop a table would commit what a failed publication has changed
                self.run(f"DROP TABLE IF EXISTS {table}")

    def accepts(self, there: str, kind: DataType) -> bool:
        return takes(there, kind)

    def type_of(self, kind: DataType) -> str:
        return snowflake_type(kind)

    def instant(self, checkpoint: Checkpoint) -> str:
        return f"CAST({literal(checkpoint.at.astimezone(UTC).isoformat(sep=' '))} AS TIMESTAMP_LTZ(6))"

    def load(self) -> int:
        names = quoted_list(self.incoming.schema.names)
        return self.run(f"INSERT INTO {self.table} ({names}) SELECT {names} FROM {self._arrived} AS i")

    def stage(self) -> str:
        return self._arrived

    def create_index(self, name: str, columns: Iterable[str]) -> None:
        """None is made: a key needs none there, and `problems` refuses all others."""
