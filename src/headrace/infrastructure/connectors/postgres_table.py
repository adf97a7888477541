"""A table of PostgreSQL as a target: with its ledger and its fences on one connection, and the two ways in which staged rows come into
it: by COPY from outside, or from a table of the same database. Not the modes (see `table_publication`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headrace.business.inside import StagedTable
from headrace.business.model.schema import Schema
from headrace.business.model.types import DataType, Enum, Null, String
from headrace.business.ports import Checkpoint
from headrace.infrastructure.arrow_shares import FEW, put_together
from headrace.infrastructure.connectors import fence_table, ledger_table, table_publication
from headrace.infrastructure.connectors.fence_table import FenceTable
from headrace.infrastructure.connectors.history import instant
from headrace.infrastructure.connectors.ledger_table import LedgerTable
from headrace.infrastructure.connectors.merge_sql import History, Merge
from headrace.infrastructure.connectors.staged_rows import INCOMING
from headrace.infrastructure.duckdb_connection import Connection
from headrace.infrastructure.postgresql import binary_copy
from headrace.infrastructure.postgresql.copying import copy_batches, copy_rows
from headrace.infrastructure.postgresql.types import copy_cell, postgres_type, takes
from headrace.infrastructure.sql_text import literal, quoted, quoted_list

if TYPE_CHECKING:
    import psycopg
    import pyarrow as pa


@dataclass
class PostgresDatabase:
    """The table with its ledger and fences on a connection."""

    connection: psycopg.Connection[tuple[Any, ...]]
    table_name: str

    def __post_init__(self) -> None:
        schema, _, self.bare = self.table_name.rpartition(".")
        self.schema = schema or str(self.rows("SELECT coalesce(current_schema(), 'public')")[0][0])
        self.table = self._beside(self.bare)
        self.ledger = LedgerTable(self, self._beside(ledger_table.NAME), self.bare)
        self.fences = FenceTable(self, self._beside(fence_table.NAME), self.bare)

    def alone(self) -> None:
        """Be the only one who publishes here until the commit."""
        self.run(f"SELECT pg_advisory_xact_lock(hashtextextended({literal('headrace ' + self.schema)}, 0))")
        if not self.rows(f"SELECT to_regnamespace({literal(quoted(self.schema))}) IS NOT NULL")[0][0]:
            self.run(f"CREATE SCHEMA {quoted(self.schema)}")

    def run(self, statement: str) -> int:
        return max(0, self.connection.execute(statement.encode()).rowcount)

    def rows(self, query: str) -> Sequence[Sequence[Any]]:
        return self.connection.execute(query.encode()).fetchall()

    def has(self, table: str) -> bool:
        return self._exists(self._beside(table))

    def columns(self) -> Mapping[str, str] | None:
        if not self._exists(self.table):
            return None
        found = self.rows(
            f"SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = {literal(self.table)}::regclass "
            "AND attnum > 0 AND NOT attisdropped ORDER BY attnum"
        )
        return {str(name): str(kind) for name, kind in found}

    def types_of(self, table: str) -> Mapping[str, tuple[str, str]]:
        """The type and the category of the type of each column."""
        found = self.rows(
            "SELECT attname, format_type(atttypid, atttypmod), typcategory::text FROM pg_attribute JOIN pg_type t ON t.oid = atttypid "
            f"WHERE attrelid = {literal(table)}::regclass AND attnum > 0 AND NOT attisdropped"
        )
        return {str(name): (str(kind), str(category)) for name, kind, category in found}

    def _beside(self, table: str) -> str:
        return f"{quoted(self.schema)}.{quoted(table)}"

    def _exists(self, table: str) -> bool:
        return self.rows(f"SELECT to_regclass({literal(table)}) IS NOT NULL")[0][0] is True


@dataclass
class PostgresTable(PostgresDatabase, ABC):
    """The table in a transaction, and the schema of the rows that are to come into it."""

    staged: Schema
    distinct = "IS DISTINCT FROM"
    defining_commits = False
    merging = Merge
    versioning = History

    def prepare(self) -> None:
        """Be alone, and have a ledger. Rights that are not needed are not asked for."""
        self.alone()
        if not self.has(ledger_table.NAME):
            self.ledger.create()
        if self._exists(self.table):
            self.run(f"LOCK TABLE {self.table} IN SHARE ROW EXCLUSIVE MODE")

    def accepts(self, there: str, kind: DataType) -> bool:
        return takes(there, kind)

    def type_of(self, kind: DataType) -> str:
        return postgres_type(kind)

    def instant(self, checkpoint: Checkpoint) -> str:
        return instant(checkpoint.at)

    def load(self) -> int:
        return self._fill(self.table)

    def stage(self) -> str:
        """The columns have the types of the table, so that values compare as they will be stored."""
        names = quoted_list(self.staged.names)
        self.run(f"CREATE TEMP TABLE {INCOMING} ON COMMIT DROP AS SELECT {names} FROM {self.table} WITH NO DATA")
        self._fill(f"pg_temp.{INCOMING}")
        self.run(f"ANALYZE pg_temp.{INCOMING}")
        return f"pg_temp.{INCOMING}"

    def create_index(self, name: str, columns: Iterable[str]) -> None:
        self.run(table_publication.create_index_sql(quoted(name), self.table, columns))

    @abstractmethod
    def _fill(self, table: str) -> int:
        """Bring all staged rows into a table that has the columns of the target; how many they were."""


#: From so many rows on it pays to load Arrow, which the binary format is written from.
MANY_ROWS = 100_000


class ArrivesByCopy(PostgresTable, ABC):
    """Rows come from outside."""

    def in_binary(self) -> bool:
        """Whether they can come in the binary format, which a server takes faster: into columns of exactly their types."""
        there = self.columns()
        if there is None:  # and will have our own types
            there = {c.name: postgres_type(c.type) for c in self.staged}
        return all(c.name in there and binary_copy.takes(there[c.name], c.type) for c in self.staged)


@dataclass
class CopiedInto(ArrivesByCopy):
    """Rows come from a connection of DuckDB that knows them as `INCOMING`, and how many they are."""

    incoming: Connection
    count: int

    def _fill(self, table: str) -> int:
        # One thread reads faster than a server takes rows in; more would only take the processor from it.
        self.incoming.execute("SET threads = 1")
        with self.connection.cursor() as cursor:
            if self.count >= MANY_ROWS and self.in_binary():
                _, batches = self.incoming.arrow_batches(f"SELECT * FROM {INCOMING}", FEW)
                return copy_batches(put_together(batches, binary_copy.ROWS, binary_copy.BYTES), self.staged, cursor, table)
            cells = ", ".join(map(copy_cell, self.staged))
            return copy_rows(self.incoming, f"SELECT {cells} FROM {INCOMING}", self.staged.names, cursor, table)


@dataclass
class StreamedInto(ArrivesByCopy):
    """Rows come while they are being staged. They may count when there is word that they were published."""

    batches: Iterable[pa.RecordBatch]
    wait_for_word: Callable[[], None]

    def _fill(self, table: str) -> int:
        with self.connection.cursor() as cursor:
            arrived = copy_batches(self.batches, self.staged, cursor, table)
        self.wait_for_word()
        return arrived


@dataclass
class InsertedInto(PostgresTable):
    """Rows come from a table of the same database, and never leave it."""

    source: StagedTable

    def stage(self) -> str:
        """Where the types are the same, the staged table itself will do."""
        here, there = self.types_of(self.source.table), self.types_of(self.table)
        if all(here[name][0] == there[name][0] for name in self.staged.names):
            self.run(f"ANALYZE {self.source.table}")
            return self.source.table
        return super().stage()

    def _fill(self, table: str) -> int:
        there = self.types_of(self.table)
        cells = ", ".join(_cell(quoted(c.name), c.type, *there[c.name]) for c in self.staged)
        return self.run(f"INSERT INTO {table} ({quoted_list(self.staged.names)}) SELECT {cells} FROM {self.source.table}")


def _cell(value: str, kind: DataType, there: str, category: str) -> str:
    """A staged value for a column of the type `there`. A text is read as that type where it is none of texts (a UUID, an enum), as COPY
    would read it; and is put in as it is where it is, because a cast would cut off what is too long."""
    if isinstance(kind, Null):
        return "NULL"
    reads = isinstance(kind, String | Enum) and category != "S"
    return f"CAST({value} AS {there})" if reads else value
