"""Brings rows into the database that are not there yet: DuckDB reads them, COPY takes them. And fetches the few that have to come out.

No record is judged here. What cannot be read as a record at all is found as the engine duckdb finds it, by the same readers.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from headrace.business.engine import Limits
from headrace.business.fetched import Wanted
from headrace.business.model.schema import Column, Schema
from headrace.business.model.types import Integer
from headrace.business.ports import PROVENANCE, ArrowScan, FileScan, Scan
from headrace.business.processing.plan import Plan
from headrace.business.validation.compiled import raw
from headrace.errors import NonRetryableError
from headrace.infrastructure import duckdb_connection
from headrace.infrastructure.engines.duckdb.connection import connect, opened
from headrace.infrastructure.engines.duckdb.reading import OpenScan, open_scan
from headrace.infrastructure.engines.duckdb.reading_typed import TypedReading, streamed
from headrace.infrastructure.engines.duckdb.spare import Spare
from headrace.infrastructure.engines.postgres.connection import SHOWN, Connection
from headrace.infrastructure.engines.postgres.dialect import DIALECT
from headrace.infrastructure.postgresql import reading
from headrace.infrastructure.postgresql.copying import copy_rows
from headrace.infrastructure.postgresql.types import copy_cell
from headrace.infrastructure.sql_text import quoted

#: The number of a row among those of its scan, from 1 on.
ROW = '"#rowid"'

_BIG = Integer(64)

#: What PostgreSQL says of a character that it cannot store.
_UNSTORABLE = ("22021", "22P05")


class Intake:
    """DuckDB beside a connection to the database, for as long as a session lasts. It is started when there is something to read."""

    def __init__(self, plan: Plan, workspace: Path, limits: Limits, connection: Connection) -> None:
        self.plan, self.workspace, self.limits, self.connection = plan, workspace, limits, connection
        self._scans: list[OpenScan] = []
        self._fetched = 0

    @cached_property
    def con(self) -> duckdb_connection.Connection:
        return connect(self.plan, self.workspace, self.limits, Spare(lambda: opened(":memory:", self.limits)))

    def load(
        self, scan: Scan, name: str, table: str, columns: Collection[str] | None = None, wanted: Wanted | None = None
    ) -> OpenScan:
        """Copy the rows of a scan into a new table: their number, the number of their file, and the cells as they came, of these
        columns or of all."""
        opening = open_scan(self.con, scan, name, columns=columns, wanted=wanted)
        self._scans.append(opening)
        cells = Schema(tuple(c for c in scan.schema if columns is None or c.name in columns))
        opening.load(_RawTable(self.con, self.connection, table, scan, cells, self.workspace))
        return opening

    def nothing_to_read(self) -> OpenScan:
        """For rows that are in the database: none of them can be unreadable."""
        return TypedReading(self.con, "(SELECT 1 WHERE false)", ())

    def fetch(self, query: str, schema: Schema) -> str:
        """Bring rows out of the database, into a table of DuckDB."""
        self._fetched += 1
        return open_scan(self.con, self._outside(query, schema), f"fetched {self._fetched}").relation

    @contextmanager
    def stream(self, query: str, schema: Schema) -> Iterator[str]:
        """A relation of rows of the database as they arrive, to be read once."""
        with streamed(self.con, self._outside(query, schema), "stream") as relation:
            yield relation

    def put(self, relation: str, schema: Schema, table: str) -> int:
        """Copy a relation of DuckDB into a new table of the database."""
        return _copied(self.con, self.connection, relation, schema, table, self.workspace)

    def close(self) -> None:
        if "con" in self.__dict__:
            for scan in self._scans:
                scan.close()
            self.con.close()
            for leftover in self.workspace.glob("work.duckdb*"):
                leftover.unlink()

    def _outside(self, query: str, schema: Schema) -> ArrowScan:
        with self.connection.faults():
            columns = reading.described(self.connection.raw, query, SHOWN)
        address = self.connection.address
        return ArrowScan(schema, open=lambda: reading.batches(address(), query, columns, SHOWN), origin=SHOWN)


@dataclass
class _RawTable:
    """Where the rows of a scan land, as they came."""

    con: duckdb_connection.Connection
    connection: Connection
    table: str
    scan: Scan
    cells: Schema
    folder: Path
    arrived: int = 0

    def build(self, relation: str) -> None:
        cells = "".join(f", {quoted(name)} AS {quoted(raw(name))}" for name in self.cells.names)
        numbered = f"(SELECT row_number() OVER () AS {ROW}, {PROVENANCE}{cells} FROM {relation})"
        own = (Column("#rowid", _BIG), Column(PROVENANCE, _BIG))
        schema = Schema((*own, *(Column(raw(c.name), c.type) for c in self.cells)))
        self.arrived = _copied(self.con, self.connection, numbered, schema, self.table, self.folder)

    def rows(self) -> Mapping[int, int]:
        if isinstance(self.scan, FileScan) and len(self.scan.files) == 1:
            return {0: self.arrived} if self.arrived else {}
        found = self.connection.rows(f"SELECT {PROVENANCE}, count(*) FROM {self.table} GROUP BY 1")
        return {int(file): int(rows) for file, rows in found}

    def drop(self) -> None:
        self.connection.run(f"DROP TABLE IF EXISTS {self.table}")


def _copied(
    con: duckdb_connection.Connection, connection: Connection, relation: str, schema: Schema, table: str, folder: Path
) -> int:
    """Make a table of a relation. It is not logged: what a crash empties is made anew from the source, and nothing else is kept in it."""
    import psycopg

    columns = ", ".join(f"{quoted(c.name)} {DIALECT.type_name(c.type)}" for c in schema)
    cells = ", ".join(map(copy_cell, schema))
    try:
        with connection.faults(), connection.raw.transaction():
            connection.raw.execute(f"DROP TABLE IF EXISTS {table}".encode())
            connection.raw.execute(f"CREATE UNLOGGED TABLE {table} ({columns})".encode())
            with connection.raw.cursor() as cursor:
                query = f"SELECT {cells} FROM {relation}"
                return copy_rows(con, query, schema.names, cursor, table, folder=folder, frozen=True)
    except NonRetryableError as error:
        cause = error.__cause__
        if isinstance(cause, psycopg.Error) and cause.sqlstate in _UNSTORABLE:
            raise NonRetryableError(
                f"{SHOWN}: a cell holds a NUL character, which PostgreSQL cannot store: {error.message}",
                hint="take it out of the data, or run the pipeline with `engine: duckdb`",
            ) from error
        raise
