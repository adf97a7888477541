"""One run on DuckDB: ingest, prepare, stage, measure, count. Not the order of a run, which is the orchestrator's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb

from headrace.business.engine import Ingested, Limits, Meeting, Progress, QuarantineTarget
from headrace.business.inside import StagedTable
from headrace.business.model.contract import OnViolation
from headrace.business.model.types import String
from headrace.business.ports import Staged
from headrace.business.processing.expressions.ir import Expr
from headrace.business.processing.plan import Plan, PlannedSource
from headrace.business.processing.relation import Function
from headrace.errors import NonRetryableError
from headrace.infrastructure.engines.duckdb.checked import Checked, stored
from headrace.infrastructure.engines.duckdb.connection import connect, fetch_rows, first_line, watched
from headrace.infrastructure.engines.duckdb.dialect import DIALECT
from headrace.infrastructure.engines.duckdb.expressions import ExpressionPrinter
from headrace.infrastructure.engines.duckdb.functions import call_function
from headrace.infrastructure.engines.duckdb.late import Late
from headrace.infrastructure.engines.duckdb.literals import identifier, literal
from headrace.infrastructure.engines.duckdb.meeting import met
from headrace.infrastructure.engines.duckdb.quarantine import Quarantine
from headrace.infrastructure.engines.duckdb.reading import DuckDBTable, OpenScan, open_scan
from headrace.infrastructure.engines.duckdb.types import duckdb_type
from headrace.infrastructure.engines.sql.tally import Tally, rule_counts, tally
from headrace.infrastructure.engines.sql.working import Working


class DuckDBSession(Working):
    """The tables of one run, on a connection of its own."""

    def __init__(self, plan: Plan, workspace: Path, project: Path, limits: Limits) -> None:
        super().__init__(DIALECT, plan)
        self.workspace, self.project = workspace, project
        self.con = connect(plan, workspace, limits)
        self._scans: list[OpenScan] = []
        self._held: dict[str, Quarantine] = {}

    # Ingest ------------------------------------------------------------------------------------------------------

    def ingest(self, source: PlannedSource, quarantine: QuarantineTarget, *, after: str | None, progress: Progress) -> Ingested:
        scan = open_scan(self.con, source.scan, source.name)
        self._scans.append(scan)
        checked = Checked(source)
        scan.load(DuckDBTable(self.con, checked.table, lambda rows: watched(self.con, checked.create(rows), progress), "#file"))
        rejected = scan.rejected()
        late = Late(self.con, source, checked)
        late.find(self.tables)
        before = self._before(source, after)
        good = f"NOT ({checked.breaks(('fail', 'quarantine', 'drop'))} OR {late.breaks(('fail', 'quarantine', 'drop'))})"
        self._serve(source, checked, f"{good} AND NOT {before}")
        return self._account(source, checked, late, scan, rejected, quarantine, before)

    def _before(self, source: PlannedSource, after: str | None) -> str:
        """A condition: an earlier run has read this row, by its cursor."""
        if source.cursor is None or after is None:
            return "false"
        kind = duckdb_type(source.schema[source.cursor].type)
        highest = f"CAST({literal(after, String())} AS {kind})"
        if source.lag:
            highest = f"({highest} - to_microseconds({round(source.lag.total_seconds() * 1_000_000)}))"
        return f"coalesce({stored(source.cursor)} <= {highest}, false)"

    def _serve(self, source: PlannedSource, checked: Checked, good: str) -> None:
        names = (
            ", ".join(f"{stored(n)} AS {identifier(n)}" if n.lower() == "rowid" else identifier(n) for n in checked.kept)
            or "NULL"
        )
        where = "" if good == "NOT (false OR false) AND NOT false" else f" WHERE {good}"
        self.tables[source.name] = f"(SELECT {names} FROM {checked.table}{where})"

    def _account(
        self,
        source: PlannedSource,
        checked: Checked,
        late: Late,
        scan: OpenScan,
        rejected: str | None,
        target: QuarantineTarget,
        before: str,
    ) -> Ingested:
        unreadable = self._number(f"SELECT count(*) FROM {rejected}") if rejected else 0
        counts = self._tally(checked, late, before)
        held = Quarantine(self.con, source, checked, late, scan, self.project)
        broken_any = any(counts.rules) or late.any or unreadable
        examples: Sequence[Any] = ()
        written = 0
        if broken_any:
            held.gather(rejected)
            self._held[source.name] = held
            written = held.write(target)
            examples = held.examples()
        return Ingested(
            dataset=source.name,
            read=counts.rows + unreadable,
            good=counts.good,
            quarantined=counts.fates["quarantine"] + counts.fates["fail"] + unreadable,
            dropped=counts.fates["drop"],
            filtered=counts.before,
            broken=counts.fates["fail"],
            rules=rule_counts(source, counts.rules, late.counts, unreadable),
            examples=examples,
            quarantine=target.path if written else None,
            files=getattr(source.scan, "files", ()),
            bytes=scan.bytes_total,
            cursor=self._cursor(source, checked),
        )

    def _tally(self, checked: Checked, late: Late, before: str) -> Tally:
        flags: tuple[OnViolation, ...] = ("fail", "quarantine", "drop")
        late_ones = ", ".join(late.breaks([action]) for action in flags)
        masks = "".join(f"{mask}, " for mask in checked.masks)
        groups = self.con.execute(f"SELECT {masks}{late_ones}, {before}, count(*) FROM {checked.table} GROUP BY ALL").fetchall()
        return tally(checked.rules, len(checked.masks), groups)

    def _cursor(self, source: PlannedSource, checked: Checked) -> str | None:
        if source.cursor is None:
            return None
        query = f"SELECT CAST(max({stored(source.cursor)}) AS VARCHAR) FROM {checked.table}"
        highest: str | None = self.con.execute(query).fetchall()[0][0]
        return highest

    # Transform ---------------------------------------------------------------------------------------------------

    def _keep(self, what: str, query: str, progress: Progress) -> str:
        table = identifier(what)
        watched(self.con, f"CREATE OR REPLACE TEMP TABLE {table} AS {query}", progress)
        return table

    def _call(self, name: str, relation: Function) -> str:
        table = identifier(f"made {name}")
        call_function(self.con, relation, self.project, [self._query(part) for part in relation.parts], table, name)
        return table

    # Stage and measure -------------------------------------------------------------------------------------------

    def stage(self, dataset: str, folder: Path, progress: Progress) -> Staged:
        from headrace.infrastructure.formats.parquet_checksums import add_checksums

        folder.mkdir(parents=True, exist_ok=True)
        part, path = folder / ".data.parquet.part", folder / "data.parquet"
        rows = watched(
            self.con, f"COPY ({self._statement(dataset)}) TO {literal(str(part), String())} (FORMAT parquet)", progress
        )
        digest = add_checksums(part, path)
        part.unlink()
        self.tables[dataset] = f"read_parquet({literal(str(path), String())}, hive_partitioning = false)"
        return Staged((path,), self.plan.schema(dataset), int(rows), digest.bytes, {path: digest})

    def adopt(self, dataset: str, staged: Staged | StagedTable) -> None:
        if isinstance(staged, StagedTable):
            raise NonRetryableError(f"`{dataset}` lies in a database that this engine does not know")
        files = ", ".join(literal(str(path), String()) for path in staged.files)
        self.tables[dataset] = f"read_parquet([{files}], hive_partitioning = false)"

    def measure(self, dataset: str, measures: Mapping[str, Expr], meeting: Meeting | None = None) -> Mapping[str, Any]:
        if not measures:
            return {}
        printer = ExpressionPrinter(self._query)
        columns = ", ".join(f"{printer.sql(e)} AS {identifier(name)}" for name, e in measures.items())
        rows = self._statement(dataset)
        try:
            return fetch_rows(self.con, f"SELECT {columns} FROM ({met(rows, meeting) if meeting else rows})", 1)[0]
        except duckdb.Error as error:
            raise NonRetryableError(f"`{dataset}` cannot be measured: {first_line(error)}") from error

    def rows(self, dataset: str, limit: int) -> Sequence[Mapping[str, Any]]:
        return fetch_rows(self.con, f"SELECT * FROM ({self._statement(dataset)})", limit)

    def held(self, dataset: str) -> Sequence[Mapping[str, Any]]:
        return self._held[dataset].rows() if dataset in self._held else []

    def interrupt(self) -> None:
        self.con.interrupt()

    def close(self) -> None:
        for scan in self._scans:
            scan.close()
        self.con.close()
        for leftover in self.workspace.glob("work.duckdb*"):
            leftover.unlink()

    def _values(self, query: str) -> Sequence[Sequence[Any]]:
        # All rows are fetched, though there be one: a result left open would keep other sources from being registered.
        return self.con.execute(query).fetchall()
