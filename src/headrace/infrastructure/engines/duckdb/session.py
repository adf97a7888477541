"""One run on DuckDB: ingest, prepare, stage, measure, count. Not the order of a run, which is the orchestrator's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from headrace.business.engine import Ingested, Limits, Meeting, Progress, QuarantineTarget
from headrace.business.fetched import Wanted
from headrace.business.inside import HeldInside, StagedTable
from headrace.business.model.contract import OnViolation
from headrace.business.model.types import String
from headrace.business.ports import ArrowScan, FileDigest, Staged
from headrace.business.processing.expressions.ir import Expr
from headrace.business.processing.increments import ReadUpTo
from headrace.business.processing.plan import Plan, PlannedSource
from headrace.business.processing.relation import Function
from headrace.errors import NonRetryableError
from headrace.infrastructure.arrow_shares import FEW, put_together
from headrace.infrastructure.engines.duckdb.checked import Checked, stored
from headrace.infrastructure.engines.duckdb.connection import connect, fetch_rows, first_line, statement_faults, watched
from headrace.infrastructure.engines.duckdb.dialect import DIALECT
from headrace.infrastructure.engines.duckdb.expressions import ExpressionPrinter
from headrace.infrastructure.engines.duckdb.functions import call_function
from headrace.infrastructure.engines.duckdb.increments import Increment, narrowed
from headrace.infrastructure.engines.duckdb.late import Late
from headrace.infrastructure.engines.duckdb.literals import identifier, literal
from headrace.infrastructure.engines.duckdb.passing import Passed, Passing, passes
from headrace.infrastructure.engines.duckdb.quarantine import Quarantine
from headrace.infrastructure.engines.duckdb.reading import DuckDBTable, OpenScan, open_scan
from headrace.infrastructure.engines.duckdb.reading_open import unreadable
from headrace.infrastructure.engines.duckdb.spare import Spare
from headrace.infrastructure.engines.sql.accounts import Counted, accounted
from headrace.infrastructure.engines.sql.meeting import met
from headrace.infrastructure.engines.sql.positions import reached, read_before
from headrace.infrastructure.engines.sql.tally import Tally, tally
from headrace.infrastructure.engines.sql.working import Working

if TYPE_CHECKING:
    import pyarrow as pa

#: What the names of files begin with in which rows come to rest as they arrive, until they are staged.
_ARRIVED = "arrived-"
#: How many rows are handed on at a time, and of how many bytes.
_SHARE_ROWS, _SHARE_BYTES = 16_384, 32 << 20


class DuckDBSession(Working):
    """The tables of one run, on a connection of its own."""

    def __init__(self, plan: Plan, workspace: Path, project: Path, limits: Limits, spare: Spare) -> None:
        super().__init__(DIALECT, plan)
        self.workspace, self.project = workspace, project
        self.con = connect(plan, workspace, limits, spare)
        self._scans: list[OpenScan] = []
        self._held: dict[str, Quarantine] = {}
        self._passed: dict[str, Passed] = {}
        self._passing: Passing | None = None

    # Ingest ------------------------------------------------------------------------------------------------------

    def ingest(self, source: PlannedSource, quarantine: QuarantineTarget, *, after: str | None, progress: Progress) -> Ingested:
        before = read_before(source, after)
        wanted = Wanted(before.floor, self.plan.definition.retry.policy)
        once = not source.contract.late  # a late rule may find rows whose text was let go of
        found = narrowed(source, before)
        if isinstance(found, ArrowScan) and passes(self.plan, source):
            progress(None)
            self._passing = passing = Passing(source, found)
            if passing.begins():
                return self._come_to_rest(source, passing)
            found = replace(found, open=passing.opened)
        scan = open_scan(self.con, found, source.name, columns=source.columns_read, wanted=wanted, once=once)
        self._scans.append(scan)
        checked = Checked(source)
        scan.load(DuckDBTable(self.con, checked.table, lambda rows: watched(self.con, checked.create(rows), progress), "#file"))
        increment = self._increment(source, checked, before)
        left = increment.left if increment else "false"
        rejected = scan.rejected()
        late = Late(self.con, source, checked)
        late.find(self.tables, left)
        good = f"NOT ({checked.breaks(('fail', 'quarantine', 'drop'))} OR {late.breaks(('fail', 'quarantine', 'drop'))})"
        self._serve(source, checked, f"{good} AND NOT {left}")
        return self._account(source, checked, late, scan, rejected, quarantine, increment)

    def _come_to_rest(self, source: PlannedSource, passing: Passing) -> Ingested:
        passed = self._passed[source.name] = passing.written(self.workspace / f"{_ARRIVED}{len(self._passed)}.parquet")
        self.tables[source.name] = _read_parquet([passed.path])
        return Ingested(source.name, passed.rows, passed.rows, 0, 0, 0, 0, cursor=reached(source, None))

    def _increment(self, source: PlannedSource, checked: Checked, before: ReadUpTo) -> Increment | None:
        if source.cursor is None:
            return None
        increment = Increment(self.con, source, source.cursor, checked, before)
        if increment.left != "false" and checked.masks:
            self.con.execute(checked.acquit(increment.left))
        return increment

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
        increment: Increment | None,
    ) -> Ingested:
        counted = Counted(
            self._tally(checked, late, increment.left if increment else "false"), late.counts, unreadable(self.con, rejected)
        )
        held: Quarantine | None = None
        if counted.broken:
            held = Quarantine(self.con, source, checked, late, scan, self.project)
            held.gather(rejected)
            self._held[source.name] = held
        return accounted(source, counted, held, target, size=scan.bytes_total, cursor=increment.position if increment else None)

    def _tally(self, checked: Checked, late: Late, left: str) -> Tally:
        flags: tuple[OnViolation, ...] = ("fail", "quarantine", "drop")
        late_ones = ", ".join(late.breaks([action]) for action in flags)
        masks = "".join(f"{mask}, " for mask in checked.masks)
        groups = self.con.execute(f"SELECT {masks}{late_ones}, {left}, count(*) FROM {checked.table} GROUP BY ALL").fetchall()
        return tally(checked.rules, len(checked.masks), groups)

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
        if passed := self._passed.pop(dataset, None):
            passed.path.replace(path)
            return self._at_rest(dataset, path, passed.rows, passed.digest)
        rows = watched(
            self.con, f"COPY ({self._statement(dataset)}) TO {literal(str(part), String())} (FORMAT parquet)", progress
        )
        digest = add_checksums(part, path)
        part.unlink()
        return self._at_rest(dataset, path, int(rows), digest)

    def stage_handing_on(
        self, dataset: str, folder: Path, progress: Progress, take: Callable[[pa.RecordBatch], None]
    ) -> Staged:
        from headrace.infrastructure.formats.parquet_writing import write_parquet

        progress(None)
        passed = self.stage(dataset, folder, progress) if dataset in self._passed else None
        folder.mkdir(parents=True, exist_ok=True)
        part, path = folder / ".data.parquet.part", folder / "data.parquet"
        with statement_faults():
            schema, batches = self.con.arrow_batches(self._statement(dataset), FEW)
            shares = put_together(batches, _SHARE_ROWS, _SHARE_BYTES)
            if passed is not None:
                for share in shares:
                    take(share)
                return passed
            rows, digest = write_parquet(schema, _handed_on(shares, take), part)
        part.rename(path)
        return self._at_rest(dataset, path, rows, digest)

    def _at_rest(self, dataset: str, path: Path, rows: int, digest: FileDigest) -> Staged:
        self.tables[dataset] = _read_parquet([path])
        return Staged((path,), self.plan.schema(dataset), rows, digest.bytes, {path: digest})

    def adopt(self, dataset: str, staged: Staged | StagedTable) -> None:
        if isinstance(staged, StagedTable):
            raise NonRetryableError(f"`{dataset}` lies in a database that this engine does not know")
        self.tables[dataset] = _read_parquet(staged.files)

    def measure(self, dataset: str, measures: Mapping[str, Expr], meeting: Meeting | None = None) -> Mapping[str, Any]:
        if not measures:
            return {}
        printer = ExpressionPrinter(self._query)
        columns = ", ".join(f"{printer.sql(e)} AS {identifier(name)}" for name, e in measures.items())
        rows = self._statement(dataset)
        rows = met(rows, _held_by_target(meeting.held), meeting, identifier) if meeting else rows
        try:
            return fetch_rows(self.con, f"SELECT {columns} FROM ({rows}\n)", 1)[0]
        except duckdb.Error as error:
            raise NonRetryableError(f"`{dataset}` cannot be measured: {first_line(error)}") from error

    def table(self, dataset: str) -> pa.Table:
        """All rows of a dataset, with the columns that anything needs."""
        return self.con.arrow_table(self._statement(dataset))

    def rows(self, dataset: str, limit: int) -> Sequence[Mapping[str, Any]]:
        return fetch_rows(self.con, f"SELECT * FROM ({self._statement(dataset)})", limit)

    def held(self, dataset: str) -> Sequence[Mapping[str, Any]]:
        return self._held[dataset].rows() if dataset in self._held else []

    def interrupt(self) -> None:
        if self._passing is not None:
            self._passing.stop()
        self.con.interrupt()

    def close(self) -> None:
        for scan in self._scans:
            scan.close()
        self.con.close()
        for leftover in (*self.workspace.glob("work.duckdb*"), *self.workspace.glob(f"{_ARRIVED}*")):
            leftover.unlink()

    def _values(self, query: str) -> Sequence[Sequence[Any]]:
        # All rows are fetched, though there be one: a result left open would keep other sources from being registered.
        return self.con.execute(query).fetchall()


def _held_by_target(held: Staged | HeldInside) -> str:
    if isinstance(held, HeldInside):
        raise TypeError(f"{held.database} is no place that this engine knows")
    return f"SELECT * FROM {_read_parquet(held.files)}"


def _read_parquet(files: Sequence[Path]) -> str:
    return f"read_parquet([{', '.join(literal(str(path), String()) for path in files)}], hive_partitioning = false)"


def _handed_on(batches: Iterable[pa.RecordBatch], take: Callable[[pa.RecordBatch], None]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        take(batch)
        yield batch
