"""Brings rows to where executors read them: DuckDB reads the source and writes Parquet, so that the same lines are malformed on every
engine. And reads what executors have written, where it has to be looked at here.

No record is judged here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from headrace.business.engine import Limits
from headrace.business.fetched import Wanted
from headrace.business.ports import PROVENANCE, Scan
from headrace.business.processing.plan import Plan
from headrace.business.validation.compiled import raw
from headrace.infrastructure.duckdb_connection import Connection
from headrace.infrastructure.engines.duckdb.connection import connect, opened
from headrace.infrastructure.engines.duckdb.literals import exactly, identifier, text
from headrace.infrastructure.engines.duckdb.reading import OpenScan, open_scan
from headrace.infrastructure.engines.duckdb.reading_typed import TypedReading
from headrace.infrastructure.engines.duckdb.spare import Spare

#: The number of a row among those of its scan, from 1 on.
ROW = "#rowid"


class Intake:
    """DuckDB beside Spark, for as long as a session lasts. It is started when there is something to read."""

    def __init__(self, plan: Plan, workspace: Path, limits: Limits, area: Path) -> None:
        self.plan, self.workspace, self.limits, self.area = plan, workspace, limits, area
        self._scans: list[OpenScan] = []

    @cached_property
    def con(self) -> Connection:
        return connect(self.plan, self.workspace, self.limits, Spare(lambda: opened(":memory:", self.limits)), [self.area])

    def load(
        self, scan: Scan, name: str, path: Path, columns: Collection[str] | None = None, wanted: Wanted | None = None
    ) -> OpenScan:
        """Write the rows of a scan to a Parquet file: their number, the number of their file, and the cells as they came."""
        opening = open_scan(self.con, scan, name, columns=columns, wanted=wanted)
        self._scans.append(opening)
        opening.load(_RawFile(self.con, path, scan))
        return opening

    def nothing_to_read(self, scan: Scan) -> TypedReading:
        """For rows that Spark reads where they are: none of them can be unreadable."""
        return TypedReading(self.con, "(SELECT 1 WHERE false)", getattr(scan, "files", ()))

    def close(self) -> None:
        if "con" in self.__dict__:
            for scan in self._scans:
                scan.close()
            self.con.close()
            for leftover in self.workspace.glob("work.duckdb*"):
                leftover.unlink()


def relation(files: Sequence[Path]) -> str:
    """What stands after FROM in DuckDB for the rows of files that executors have written."""
    listed = ", ".join(text(exactly(str(file))) for file in files)
    return f"read_parquet([{listed}], hive_partitioning = false)"


@dataclass
class _RawFile:
    """Where the rows of a scan land, as they came."""

    con: Connection
    path: Path
    scan: Scan

    def build(self, relation: str) -> None:
        cells = "".join(f", {identifier(name)} AS {identifier(raw(name))}" for name in self.scan.schema.names)
        numbered = f"SELECT row_number() OVER () AS {identifier(ROW)}, CAST({PROVENANCE} AS INTEGER) AS {PROVENANCE}{cells} FROM {relation}"
        self.con.execute(f"COPY ({numbered}) TO {text(str(self.path))} (FORMAT parquet)").fetchall()

    def rows(self) -> Mapping[int, int]:
        found = self.con.execute(
            f"SELECT {PROVENANCE}, count(*) FROM read_parquet({text(exactly(str(self.path)))}) GROUP BY 1"
        ).fetchall()
        return {int(file): int(rows) for file, rows in found}

    def drop(self) -> None:
        self.path.unlink(missing_ok=True)
