"""Takes the epochs of a stream into a table of PostgreSQL, over one connection that stays open.

Rows come by binary COPY: into the table, or into one of this session, from which they are merged by one statement.

A unique index on the key, made when there is none, lets the server find what it updates. The connection has to be a session of its own: a
pool that lends it out by the transaction would lose the table of the session.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import gettempdir
from typing import TYPE_CHECKING, Any

from headrace.business.model.schema import Schema
from headrace.business.model.types import DataType
from headrace.business.ports import Checkpoint
from headrace.errors import NonRetryableError
from headrace.infrastructure.connectors import table_publication
from headrace.infrastructure.connectors.history import instant
from headrace.infrastructure.connectors.merge_sql import History, Merge
from headrace.infrastructure.connectors.postgres_table import PostgresDatabase
from headrace.infrastructure.connectors.staged_rows import INCOMING, reader
from headrace.infrastructure.connectors.streams import stream_table
from headrace.infrastructure.connectors.streams.stream_table import StreamTable
from headrace.infrastructure.connectors.table_publication import merged
from headrace.infrastructure.duckdb_connection import Connection
from headrace.infrastructure.postgresql import binary_copy
from headrace.infrastructure.postgresql.copying import copy_batches
from headrace.infrastructure.postgresql.faults import UNSTORABLE, explained, with_nul
from headrace.infrastructure.postgresql.types import postgres_type, takes
from headrace.infrastructure.sql_text import literal, quoted, quoted_list

if TYPE_CHECKING:
    import psycopg
    import pyarrow as pa

_SETTINGS = "SET timezone = 'UTC'; SET datestyle = 'ISO'; SET standard_conforming_strings = on; SET lock_timeout = '60s'"
_SESSION = f"pg_temp.{INCOMING}"


@dataclass
class _Known:
    """What is looked up once for a connection: the table with its schema, the type of each column and the category of that, whether the
    table of the session is there, and whether rows can be merged by one statement."""

    table: str = ""
    types: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    has_session: bool = False
    upserts: bool | None = None


@dataclass
class OpenPostgres:
    """The connection, and what is known of the table while it lives."""

    address: Callable[[], str]
    """Gives it with its secrets, each time that it is needed."""
    table: str
    schema: Schema
    key: Sequence[str]
    shown: str
    _connection: psycopg.Connection[tuple[Any, ...]] | None = None
    _known: _Known = field(default_factory=_Known)
    _printer: Connection | None = None
    _open: ExitStack = field(default_factory=ExitStack)

    @contextmanager
    def transaction(self, rows: pa.Table | None = None) -> Iterator[_EpochTable]:
        with _faults(self.shown, rows), ExitStack() as unless_committed:
            # What was begun goes with the connection; so does a commit whose answer never came, and the next to come looks.
            unless_committed.callback(self.close)
            if self._connection is None:
                self._connection = self._open.enter_context(closing(_connected(self.address())))
                self._known = _Known(_whole_name(self._connection, self.table))
            coming = None if rows is None else self._travelling(rows)
            db = _EpochTable(self._connection, self._known.table, self.schema, self.key, self.shown, self._known, coming)
            yield db
            db.run("COMMIT")
            unless_committed.pop_all()

    def close(self) -> None:
        self._connection = self._printer = None
        self._open.close()

    def _travelling(self, rows: pa.Table) -> pa.Table:
        """The rows as they travel, which most do as they are; DuckDB prints those that do not."""
        if not any(binary_copy.travels_as_text(column.type) for column in self.schema):
            return rows
        if self._printer is None:
            self._printer = self._open.enter_context(reader(Path(gettempdir())))
        self._printer.register(INCOMING, rows)
        return self._printer.arrow_table(f"SELECT {', '.join(map(binary_copy.as_text, self.schema))} FROM {INCOMING}")


def _whole_name(connection: psycopg.Connection[tuple[Any, ...]], table: str) -> str:
    if "." in table:
        return table
    schema = connection.execute("SELECT coalesce(current_schema(), 'public')").fetchall()[0][0]
    return f"{schema}.{table}"


def _connected(address: str) -> psycopg.Connection[tuple[Any, ...]]:
    import psycopg

    connection = psycopg.connect(address, application_name="headrace", client_encoding="utf8", autocommit=True)
    try:
        connection.execute(_SETTINGS.encode())
    except psycopg.Error:
        connection.close()
        raise
    return connection


@dataclass
class _EpochTable(PostgresDatabase):
    """The table in a transaction, which begins with the first statement."""

    staged: Schema
    key: Sequence[str]
    shown: str
    known: _Known
    incoming: pa.Table | None
    distinct = "IS DISTINCT FROM"
    defining_commits = False
    merging = Merge
    versioning = History

    def __post_init__(self) -> None:
        self._begun = False
        super().__post_init__()
        self.streams = StreamTable(self, self._beside(stream_table.NAME), self.bare)

    # The statements --------------------------------------------------------------------------------------------------

    def run(self, statement: str) -> int:
        return max(0, self._carried_out(statement).rowcount)

    def rows(self, query: str) -> Sequence[Sequence[Any]]:
        return self._carried_out(query).fetchall()

    def _carried_out(self, statement: str) -> psycopg.Cursor[tuple[Any, ...]]:
        """The first one travels together with what begins the transaction."""
        if self._begun:
            return self.connection.execute(statement.encode())
        self._begun = True
        cursor = self.connection.execute(f"BEGIN ISOLATION LEVEL READ COMMITTED; {statement}".encode())
        cursor.nextset()
        return cursor

    # The table -------------------------------------------------------------------------------------------------------

    def accepts(self, there: str, kind: DataType) -> bool:
        return takes(there, kind)

    def type_of(self, kind: DataType) -> str:
        return postgres_type(kind)

    def instant(self, checkpoint: Checkpoint) -> str:
        return instant(checkpoint.at)

    def create_index(self, name: str, columns: Iterable[str]) -> None:
        self.run(table_publication.create_index_sql(quoted(name), self.table, columns))

    def demand_key(self) -> None:
        import psycopg

        if self._is_partitioned() or self._has_unique_index():
            return
        name = table_publication.index_name(self.bare, (*self.key, "unique"))
        try:
            self.run(f"CREATE UNIQUE INDEX {quoted(name)} ON {self.table} ({quoted_list(self.key)})")
        except psycopg.errors.UniqueViolation as error:
            raise NonRetryableError(
                f"{self.shown}: keys ({', '.join(self.key)}) stand for more than one row that is there: {error.diag.message_detail}",
                hint="keep one row of each key in the table, or name a key that tells its rows apart",
            ) from error

    def _has_unique_index(self) -> bool:
        names = ", ".join(map(literal, sorted(self.key)))
        return bool(
            self.rows(
                f"SELECT 1 FROM pg_index WHERE indrelid = {literal(self.table)}::regclass AND indisunique AND indisvalid AND indimmediate "
                f"AND indpred IS NULL AND indexprs IS NULL AND ARRAY[{names}]::text[] = ARRAY(SELECT attname::text FROM pg_attribute "
                'WHERE attrelid = indrelid AND attnum = ANY(indkey[0:indnkeyatts - 1]) ORDER BY attname COLLATE "C")'
            )
        )

    def _is_partitioned(self) -> bool:
        """Of such a table the server does not say which rows an upsert has updated, and a unique index has to name the partitions."""
        return bool(self.rows(f"SELECT relkind = 'p' FROM pg_class WHERE oid = {literal(self.table)}::regclass")[0][0])

    # The rows --------------------------------------------------------------------------------------------------------

    def load(self) -> int:
        types = self._types()
        if all(binary_copy.is_direct(column, *types[column.name]) for column in self.staged):
            return self._copy(self.table)
        self.stage()
        return self.run(f"INSERT INTO {self.table} ({quoted_list(self.staged.names)}) SELECT {self._cells()} FROM {_SESSION}")

    def stage(self) -> str:
        if not self.known.has_session:
            columns = ", ".join(f"{quoted(c.name)} {binary_copy.copied_type(c.type)}" for c in self.staged)
            self.run(f"CREATE TEMP TABLE {INCOMING} ({columns}) ON COMMIT DELETE ROWS")
            self.known.has_session = True
        self._copy(_SESSION)
        return _SESSION

    def merge(self) -> tuple[int, int]:
        if self.known.upserts is None:
            self.known.upserts = not self._is_partitioned()
        self.stage()
        if not self.known.upserts:
            coming = f"(SELECT {self._cells(named=True)} FROM {_SESSION})"
            done = merged(self, Merge(self.table, coming, self.staged.names, self.key, self.distinct), self.shown)
            return done.inserted, done.updated
        inserted, updated = self.connection.execute(self._upsert().encode(), prepare=True).fetchall()[0]
        return int(inserted), int(updated)

    def _upsert(self) -> str:
        names, key = self.staged.names, quoted_list(self.key)
        values = [name for name in names if name not in self.key]
        sets = ", ".join(f"{quoted(name)} = excluded.{quoted(name)}" for name in values)
        differs = f"({quoted_list(values, 'there')}) {self.distinct} ({quoted_list(values, 'excluded')})"
        update = f"UPDATE SET {sets} WHERE {differs}" if values else "NOTHING"
        return (
            f"WITH done AS (INSERT INTO {self.table} AS there ({quoted_list(names)}) SELECT {self._cells()} FROM {_SESSION} "
            f"ON CONFLICT ({key}) DO {update} RETURNING there.xmax = 0 AS fresh) "
            "SELECT count(*) FILTER (WHERE fresh), count(*) FILTER (WHERE NOT fresh) FROM done"
        )

    def _cells(self, *, named: bool = False) -> str:
        types = self._types()
        cells = ((binary_copy.cell(column, *types[column.name]), quoted(column.name)) for column in self.staged)
        return ", ".join(f"{cell} AS {name}" if named else cell for cell, name in cells)

    def _types(self) -> Mapping[str, tuple[str, str]]:
        if not self.known.types:
            self.known.types = self.types_of(self.table)
        return self.known.types

    def _copy(self, table: str) -> int:
        if self.incoming is None:
            return 0
        with self.connection.cursor() as cursor:
            return copy_batches(self.incoming.to_batches(), self.staged, cursor, table)


@contextmanager
def _faults(shown: str, rows: pa.Table | None) -> Iterator[None]:
    """What psycopg raises as our errors; a character that PostgreSQL cannot store is looked for when it has refused one."""
    import psycopg

    try:
        yield
    except psycopg.Error as error:
        if error.sqlstate in UNSTORABLE and rows is not None:
            _refuse_nul(rows)
        raise explained(shown, error) from error


def _refuse_nul(rows: pa.Table) -> None:
    import pyarrow as pa
    import pyarrow.compute as pc

    for name, column in zip(rows.column_names, rows.columns, strict=True):
        if pa.types.is_string(column.type):
            count = pc.sum(pc.or_kleene(pc.match_substring(column, "\0"), pc.match_substring(column, "\\u0000"))).as_py()
            if count:
                raise with_nul(name, count)
