"""A table of an SQLite file on a connection, with its ledger and fences, and what its values are there. Not the modes (see
`table_publication`).

SQLite has five kinds of values. Whole numbers of up to 64 bits, floats, text and binary are what they are; a truth value is
0 or 1. Everything else is text from which nothing is lost: decimals and larger numbers in their digits, dates and times in
ISO 8601 (instants in UTC), lists, structs and JSON as JSON.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from headrace.business.model.schema import Column, Schema
from headrace.business.model.types import Binary, Boolean, DataType, Enum, Float, Integer, List, Null, String, Struct, Timestamp
from headrace.business.ports import Checkpoint
from headrace.errors import NonRetryableError, RetryableError
from headrace.infrastructure.connectors import fence_table, ledger_table, table_publication
from headrace.infrastructure.connectors.fence_table import FenceTable
from headrace.infrastructure.connectors.ledger_table import LedgerTable
from headrace.infrastructure.connectors.merge_sql import History, Merge
from headrace.infrastructure.connectors.staged_rows import INCOMING
from headrace.infrastructure.duckdb_connection import Connection
from headrace.infrastructure.sql_text import literal, quoted, quoted_list

BATCH = 20_000
_LATER = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM}


@dataclass
class SQLiteDatabase:
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
class SQLiteTable(SQLiteDatabase):
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


def refuse_nan(rows: Connection, schema: Schema) -> None:
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
def sqlite_faults(shown: str) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", None)
        if code is not None and code & 0xFF in _LATER:
            raise RetryableError(
                f"{shown}: {error}", hint="see that no one keeps it locked and the disk is not full"
            ) from error
        raise NonRetryableError(f"{shown}: {error}", hint="see that it is an SQLite file and may be written") from error
