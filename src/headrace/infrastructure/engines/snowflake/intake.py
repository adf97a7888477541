"""Brings rows into the database that are not there yet: DuckDB reads them and writes Parquet, PUT and COPY INTO take it. And fetches the
few that have to come out.

No record is judged here. What cannot be read as a record at all is found as the engine duckdb finds it, by the same readers.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from headrace.business.engine import Limits
from headrace.business.fetched import Wanted
from headrace.business.model.schema import Column, Schema
from headrace.business.model.types import Integer
from headrace.business.ports import PROVENANCE, ArrowScan, FileScan, Scan
from headrace.business.processing.plan import Plan
from headrace.business.validation.compiled import raw
from headrace.infrastructure import duckdb_connection
from headrace.infrastructure.engines.duckdb.connection import connect, opened
from headrace.infrastructure.engines.duckdb.reading import OpenScan, open_scan
from headrace.infrastructure.engines.duckdb.reading_typed import TypedReading
from headrace.infrastructure.engines.duckdb.spare import Spare
from headrace.infrastructure.engines.snowflake.connection import SHOWN
from headrace.infrastructure.engines.snowflake.staging_area import StagingArea
from headrace.infrastructure.snowflake.loading import columns_sql, load, loaded
from headrace.infrastructure.snowflake.reading import batches
from headrace.infrastructure.sql_text import quoted

if TYPE_CHECKING:
    import pyarrow as pa

#: The number of a row among those of its scan, from 1 on.
ROW = '"#rowid"'

_BIG = Integer(64)


class Intake:
    """DuckDB beside a session in the database, for as long as that lasts. It is started when there is something to read."""

    def __init__(self, plan: Plan, workspace: Path, limits: Limits, area: StagingArea) -> None:
        self.plan, self.workspace, self.limits, self.area = plan, workspace, limits, area
        self._scans: list[OpenScan] = []
        self._fetched = 0
        self._landed: dict[str, str] = {}

    @cached_property
    def con(self) -> duckdb_connection.Connection:
        return connect(self.plan, self.workspace, self.limits, Spare(lambda: opened(":memory:", self.limits)))

    def load(
        self, scan: Scan, name: str, table: str, columns: Collection[str] | None = None, wanted: Wanted | None = None
    ) -> OpenScan:
        """Copy the rows of a scan into a new table: their number, the number of their file, and the cells as they came."""
        opening = open_scan(self.con, scan, name, columns=columns, wanted=wanted)
        self._scans.append(opening)
        opening.load(_RawTable(self, table, scan))
        return opening

    def nothing_to_read(self) -> OpenScan:
        """For rows that are in the database: none of them can be unreadable."""
        return TypedReading(self.con, "(SELECT 1 WHERE false)", ())

    def fetch(self, query: str, schema: Schema) -> str:
        """Bring rows out of the database, into a table of DuckDB."""
        self._fetched += 1
        connection = self.area.connection

        def rows() -> Iterator[pa.RecordBatch]:
            with connection.faults():
                yield from batches(connection.raw, query, schema, SHOWN)

        return open_scan(self.con, ArrowScan(schema, open=rows, origin=SHOWN), f"fetched {self._fetched}").relation

    def put(self, relation: str, schema: Schema, table: str) -> int:
        """Copy a relation of DuckDB into a new table of the database."""
        connection = self.area.connection
        connection.run(f"DROP TABLE IF EXISTS {table}")
        connection.run(self.area.creating(table, columns_sql(schema)))
        stage = self.area.stage
        with connection.faults():
            self._landed[table] = loaded(table, schema)
            return load(self.con, relation, schema, connection.raw, table, stage, self.workspace)

    def relation(self, table: str) -> str:
        """What stands after FROM for a table, with the names that its columns have here."""
        return self._landed.get(table, table)

    def close(self) -> None:
        if "con" in self.__dict__:
            for scan in self._scans:
                scan.close()
            self.con.close()
            for leftover in self.workspace.glob("work.duckdb*"):
                leftover.unlink()


@dataclass
class _RawTable:
    """Where the rows of a scan land, as they came."""

    intake: Intake
    table: str
    scan: Scan
    arrived: int = 0

    def build(self, relation: str) -> None:
        names = self.scan.schema.names
        cells = ", ".join(f"{quoted(name)} AS {quoted(raw(name))}" for name in names)
        numbered = f"(SELECT row_number() OVER () AS {ROW}, {PROVENANCE}, {cells} FROM {relation})"
        self.arrived = self.intake.put(numbered, raw_schema(self.scan.schema), self.table)

    def rows(self) -> Mapping[int, int]:
        if isinstance(self.scan, FileScan) and len(self.scan.files) == 1:
            return {0: self.arrived} if self.arrived else {}
        file = quoted(PROVENANCE)
        found = self.intake.area.connection.rows(
            f"SELECT {file}, COUNT(*) FROM {self.intake.relation(self.table)} AS arrived GROUP BY {file}"
        )
        return {int(file): int(rows) for file, rows in found}

    def drop(self) -> None:
        self.intake.area.connection.run(f"DROP TABLE IF EXISTS {self.table}")


def raw_schema(schema: Schema) -> Schema:
    """The columns of rows as they arrive: their number, the number of their file, and the cells."""
    own = (Column("#rowid", _BIG), Column(PROVENANCE, _BIG))
    return Schema((*own, *(Column(raw(c.name), c.type) for c in schema)))
