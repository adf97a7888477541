"""The sink `sqlite`: a table of an SQLite file, published in one transaction together with its ledger.

SQLite has five kinds of values. Whole numbers of up to 64 bits, floats, text and binary are what they are; a truth value is
0 or 1. Everything else is text from which nothing is lost: decimals and larger numbers in their digits, dates and times in
ISO 8601 (instants in UTC), lists, structs and JSON as JSON.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import Field

from headrace.business.model.schema import Column, Schema
from headrace.business.model.types import Binary, Boolean, DataType, Enum, Float, Integer, List, Null, String, Struct, Timestamp
from headrace.business.ports import Checkpoint, Fence, Publication, Staged
from headrace.errors import NonRetryableError, RetryableError
from headrace.infrastructure.connectors import fence_table, fences, ledger_table, milestones, table_publication
from headrace.infrastructure.connectors.fence_table import FenceTable
from headrace.infrastructure.connectors.ledger import checkpoints
from headrace.infrastructure.connectors.ledger_table import LedgerTable
from headrace.infrastructure.connectors.merge_sql import History, Merge
from headrace.infrastructure.connectors.publishing import TableOptions, shown_path
from headrace.infrastructure.connectors.snapshots import copied_arrow
from headrace.infrastructure.connectors.sqlite_source import SQLiteSource
from headrace.infrastructure.connectors.staged_rows import INCOMING, incoming_rows
from headrace.infrastructure.duckdb_connection import Connection
from headrace.infrastructure.sql_text import literal, quoted, quoted_list

BATCH = 20_000
_LATER = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM}


class SQLiteSink(TableOptions):
    """A table of an SQLite file."""

    kind: ClassVar[str] = "sqlite"

    path: Annotated[str, Field(min_length=1, description="The SQLite file; it is created when it is not there")]
    busy_seconds: Annotated[float, Field(ge=0)] = Field(30, description="How long to wait for others that write to the file")

    def target(self, project: Path) -> str:
        return f"{shown_path(project, self.path)} ({self.table})"

    def problems(self, schema: Schema) -> Iterable[str]:
        yield from self.table_problems(schema)
        if "." in self.table:
            yield f"`{self.table}` is not the name of a table: SQLite has no schemas"
        if self.table.lower().startswith("sqlite_"):
            yield "names that begin with `sqlite_` belong to SQLite itself"

    def guarantee(self) -> str:
        return "exactly once: rows and ledger change in one transaction"

    def ledger(self, project: Path) -> Sequence[Checkpoint]:
        with self._reading(project) as db:
            return checkpoints(db.ledger.read()) if db and db.columns() is not None else ()

    def fence(self, project: Path, pipeline: str, fence: Fence) -> None:
        with self._writing(project) as con:
            fences.admit(_Database(con, self.table).fences, pipeline, fence, self.target(project))

    def snapshot(self, project: Path, columns: Schema, folder: Path) -> Staged | None:
        path = project / self.path
        if not path.exists():
            return None
        with _faults(self.target(project)), closing(self._connect(path, "ro")) as con:
            there = _Database(con, self.table).columns()
        if there is None:
            return None
        names = quoted_list(c for c in columns.names if c in there) or 'NULL AS "no column"'
        rows = SQLiteSource(path=self.path, query=f"SELECT {names} FROM {quoted(self.table)}{self.in_force}")
        return copied_arrow(rows.scan(project), columns, folder)

    def publish(self, project: Path, staged: Staged, checkpoint: Checkpoint) -> Publication:
        shown = self.target(project)
        with self._reading(project) as db:
            if db and table_publication.needless(db, checkpoint, shown):
                return Publication(shown, already=True)
        with incoming_rows(staged, self.key) as rows:
            _refuse_nan(rows, staged.schema)
            milestones.reached("about to publish")
            with self._writing(project) as con:
                table = _Table(con, self.table, rows, staged.schema, self.key)
                table.ledger.create()
                return table_publication.publish(table, self, staged, checkpoint, shown)

    @contextmanager
    def _reading(self, project: Path) -> Iterator[_Database | None]:
        """What is there, unless there is no file yet."""
        path = project / self.path
        if not path.exists():
            yield None
            return
        with _faults(self.target(project)), closing(self._connect(path, "ro")) as con:
            yield _Database(con, self.table)

    @contextmanager
    def _writing(self, project: Path) -> Iterator[sqlite3.Connection]:
        """A transaction that no one else writes beside. It counts unless something is raised in it."""
        path = project / self.path
        path.parent.mkdir(parents=True, exist_ok=True)
        ours = not path.exists()
        with _faults(self.target(project)), closing(self._connect(path, "rwc")) as con:
            if ours:
                con.execute("PRAGMA journal_mode = WAL")  # readers go on reading while rows come in
            con.execute("BEGIN IMMEDIATE")
            yield con
            con.execute("COMMIT")
            milestones.reached("committed")

    def _connect(self, path: Path, mode: str) -> sqlite3.Connection:
        return sqlite3.connect(
            f"{path.resolve().as_uri()}?mode={mode}", uri=True, timeout=self.busy_seconds, isolation_level=None
        )


@dataclass
class _Database:
    """The table with its ledger and fences on an open connection."""

    con: sqlite3.Connection
    table_name: str

    def __post_init__(self) -> None:
        self.table = quoted(self.table_name)
        self.ledger = LedgerTable(self, quoted(ledger_table.NAME), self.table_name)
        self.fences = FenceTable(self, quoted(fence_table.NAME), self.table_name)

    def run(self, statement: str) -> int:
        return max(0, self.con.execute(statement).rowcount)

    def rows(self, query: str) -> Sequence[Sequence[Any]]:
        return self.con.execute(query).fetchall()

    def columns(self) -> Mapping[str, str] | None:
        return self._columns_of(self.table_name) or None

    def has(self, table: str) -> bool:
        return bool(self._columns_of(table))

    def _columns_of(self, table: str) -> Mapping[str, str]:
        return {str(name): str(kind) for name, kind in self.rows(f"SELECT name, type FROM pragma_table_info({literal(table)})")}


@dataclass
class _Table(_Database):
    """The table in a transaction, and the staged rows on a connection of DuckDB."""

    incoming: Connection
    schema: Schema
    key: Sequence[str]
    distinct: str = "IS NOT"
    defining_commits: bool = False
    merging: type[Merge] = Merge
    versioning: type[History] = History

    def accepts(self, there: str, kind: DataType) -> bool:
        affinity, wanted = _affinity(there), _affinity(self.type_of(kind))
        if affinity in (wanted, "BLOB"):
            return True
        if affinity == "NUMERIC":
            return wanted in ("INTEGER", "REAL") or (not isinstance(kind, String | Enum) and "date" in str(kind))
        return affinity == "REAL" and isinstance(kind, Integer) and kind.highest <= 2**53

    def type_of(self, kind: DataType) -> str:
        match kind:
            case Boolean():
                return "BOOLEAN"
            case Integer() if kind.highest < 2**63:
                return "INTEGER"
            case Float():
                return "REAL"
            case Binary():
                return "BLOB"
        return "TEXT"

    def instant(self, checkpoint: Checkpoint) -> str:
        return literal(checkpoint.at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f+00:00"))

    def load(self) -> int:
        return self._fill(self.table)

    def stage(self) -> str:
        columns = ", ".join(f"{quoted(c.name)} {self.type_of(c.type)}" for c in self.schema)
        self.con.execute(f"CREATE TEMP TABLE {INCOMING} ({columns})")
        self._fill(f"temp.{INCOMING}")
        # Without an index on both sides SQLite would compare every row with every other.
        self.con.execute(f"CREATE INDEX temp.incoming_key ON {INCOMING} ({quoted_list(self.key)})")
        self.create_index(table_publication.index_name(self.table_name, self.key), self.key)
        return f"temp.{INCOMING}"

    def create_index(self, name: str, columns: Iterable[str]) -> None:
        self.con.execute(table_publication.create_index_sql(quoted(name), self.table, columns))

    def _fill(self, table: str) -> int:
        marks = ", ".join("?" for _ in self.schema)
        statement = f"INSERT INTO {table} ({quoted_list(self.schema.names)}) VALUES ({marks})"
        self.incoming.execute(f"SELECT {', '.join(map(_value, self.schema))} FROM {INCOMING}")
        count = 0
        while batch := self.incoming.fetchmany(BATCH):
            self.con.executemany(statement, batch)
            count += len(batch)
        return count


def _value(column: Column) -> str:
    """A column as a value that SQLite has, written for DuckDB."""
    name = quoted(column.name)
    match column.type:
        case Boolean() | Float() | Binary() | String() | Enum() | Null():
            return name
        case Integer() if column.type.highest < 2**63:
            return name
        case Timestamp(zone=zone):
            return f"strftime({name}, '%Y-%m-%d %H:%M:%S.%f{'+00:00' if zone else ''}')"
        case List() | Struct():
            return f"CAST(to_json({name}) AS VARCHAR)"
    return f"CAST({name} AS VARCHAR)"


def _affinity(declared: str) -> str:
    """SQLite's own rules for what a declared type means."""
    text = declared.upper()
    if "INT" in text:
        return "INTEGER"
    if any(word in text for word in ("CHAR", "CLOB", "TEXT")):
        return "TEXT"
    if not text or "BLOB" in text:
        return "BLOB"
    return "REAL" if any(word in text for word in ("REAL", "FLOA", "DOUB")) else "NUMERIC"


def _refuse_nan(rows: Connection, schema: Schema) -> None:
    """SQLite would store NaN as null, without a word."""
    floats = [c.name for c in schema if isinstance(c.type, Float)]
    if not floats:
        return
    counts = (
        rows.execute(f"SELECT {', '.join(f'count(*) FILTER (isnan({quoted(n)}))' for n in floats)} FROM {INCOMING}").fetchone()
        or ()
    )
    for name, count in zip(floats, counts, strict=True):
        if count:
            hint = f"make it null before: `derive: {{{name}: case when isnan({name}) then null else {name} end}}`"
            raise NonRetryableError(f"`{name}` is NaN in {count:,} rows, which SQLite cannot store", hint=hint)


@contextmanager
def _faults(shown: str) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", None)
        if code is not None and code & 0xFF in _LATER:
            raise RetryableError(
                f"{shown}: {error}", hint="see that no one keeps it locked and the disk is not full"
            ) from error
        raise NonRetryableError(f"{shown}: {error}", hint="see that it is an SQLite file and may be written") from error
