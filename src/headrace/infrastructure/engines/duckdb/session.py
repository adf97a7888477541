"""One run on DuckDB: ingest, prepare, stage, measure, count. Not the order of a run, which is the orchestrator's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb

from headrace.business.engine import Ingested, Limits, Meeting, Progress, QuarantineTarget, RuleCount
from headrace.business.fetched import Wanted
from headrace.business.model.contract import OnViolation
from headrace.business.model.types import String
from headrace.business.ports import Staged
from headrace.business.processing.expressions.ir import Expr
from headrace.business.processing.increments import ReadUpTo
from headrace.business.processing.plan import Plan, PlannedSource
from headrace.business.processing.relation import Dedupe, Function, Join, Relation
from headrace.business.validation.compiled import UNREADABLE, KeyRule, ReferenceRule, Rule
from headrace.errors import NonRetryableError
from headrace.infrastructure.engines.duckdb.checked import Checked, stored
from headrace.infrastructure.engines.duckdb.connection import connect, fetch_rows, first_line, watched
from headrace.infrastructure.engines.duckdb.expressions import ExpressionPrinter
from headrace.infrastructure.engines.duckdb.functions import call_function
from headrace.infrastructure.engines.duckdb.increments import Increment, narrowed
from headrace.infrastructure.engines.duckdb.late import Late
from headrace.infrastructure.engines.duckdb.literals import identifier, literal
from headrace.infrastructure.engines.duckdb.meeting import met
from headrace.infrastructure.engines.duckdb.quarantine import Quarantine
from headrace.infrastructure.engines.duckdb.reading import OpenScan, open_scan
from headrace.infrastructure.engines.duckdb.relations import RelationPrinter, with_clause
from headrace.infrastructure.engines.duckdb.singles import check_single
from headrace.infrastructure.engines.duckdb.spare import Spare
from headrace.infrastructure.engines.duckdb.tally import Tally, tally


class DuckDBSession:
    """The tables of one run. `tables` says where each dataset that already exists is to be read."""

    def __init__(self, plan: Plan, workspace: Path, project: Path, limits: Limits, spare: Spare) -> None:
        self.plan, self.workspace, self.project = plan, workspace, project
        self.con = connect(plan, workspace, limits, spare)
        self.tables: dict[str, str] = {}
        self.repeated: dict[Dedupe, str] = {}
        self._filtered: dict[str, int] = {}
        self._scans: list[OpenScan] = []
        self._held: dict[str, Quarantine] = {}

    # Ingest ------------------------------------------------------------------------------------------------------

    def ingest(self, source: PlannedSource, quarantine: QuarantineTarget, *, after: str | None, progress: Progress) -> Ingested:
        own = source.scan.own_position
        if own is not None:
            own.start(after if source.remembers else None)
        before = ReadUpTo() if source.remembers else ReadUpTo.of(after)
        wanted = Wanted(before.floor, self.plan.definition.retry.policy)
        scan = open_scan(self.con, narrowed(source, before), source.name, columns=source.columns_read, wanted=wanted)
        self._scans.append(scan)
        checked = Checked(source)
        scan.load(lambda relation: watched(self.con, checked.create(relation), progress), checked.table, "#file")
        increment = None if source.cursor is None else Increment(self.con, source, source.cursor, checked, before)
        left = increment.left if increment else "false"
        rejected = scan.rejected()
        late = Late(self.con, source, checked)
        late.find(self.tables, left)
        good = f"NOT ({checked.breaks(('fail', 'quarantine', 'drop'))} OR {late.breaks(('fail', 'quarantine', 'drop'))})"
        self._serve(source, checked, f"{good} AND NOT {left}")
        return self._account(source, checked, late, scan, rejected, quarantine, increment)

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
        unreadable = self._number(f"SELECT count(*) FROM {rejected}") if rejected else 0
        counts = self._tally(checked, late, increment.left if increment else "false")
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
            rules=_rule_counts(source, counts.rules, late, unreadable),
            examples=examples,
            quarantine=target.path if written else None,
            files=getattr(source.scan, "files", ()),
            bytes=scan.bytes_total,
            cursor=self._position(source, increment),
        )

    def _position(self, source: PlannedSource, increment: Increment | None) -> str | None:
        if source.remembers and source.scan.own_position is not None:
            return source.scan.own_position.reached()
        return increment.position if increment else None

    def _tally(self, checked: Checked, late: Late, left: str) -> Tally:
        flags: tuple[OnViolation, ...] = ("fail", "quarantine", "drop")
        late_ones = ", ".join(late.breaks([action]) for action in flags)
        masks = "".join(f"{mask}, " for mask in checked.masks)
        groups = self.con.execute(f"SELECT {masks}{late_ones}, {left}, count(*) FROM {checked.table} GROUP BY ALL").fetchall()
        return tally(checked.rules, len(checked.masks), groups)

    # Transform ---------------------------------------------------------------------------------------------------

    def prepare(self, progress: Progress) -> None:
        for step in self.plan.steps:
            for node in _nodes(step.relation):
                if isinstance(node, Join) and node.single:
                    check_single(self.con, node, self._query(node.right), step.name)
            if isinstance(step.relation, Function):
                self._call(step.name, step.relation)
            elif isinstance(step.relation, Dedupe) or any(isinstance(n, Dedupe) for n in _nodes(step.relation)):
                self._repeated_keys(step.name, step.relation)
            if step.name in self.plan.shared and step.name not in self.tables:
                table = identifier(f"kept {step.name}")
                watched(self.con, f"CREATE TEMP TABLE {table} AS {self._statement(step.name)}", progress)
                self.tables[step.name] = table

    def _repeated_keys(self, name: str, relation: Relation) -> None:
        """Find the keys that repeat, once: they are few, and their count says how many rows the step will drop."""
        dropped = 0
        for i, node in enumerate(n for n in _nodes(relation) if isinstance(n, Dedupe)):
            table = identifier(f"repeated {name} {i}")
            query = self._printer().duplicates(node)
            self.con.execute(f"CREATE TEMP TABLE {table} AS {self._with(node.input)} {query}")
            self.repeated[node] = table
            dropped += self._number(f"SELECT coalesce(sum(n - 1), 0) FROM {table}")
        if not any(n.rows != "same" and not isinstance(n, Dedupe) for n in _nodes(relation)):
            self._filtered[name] = dropped

    def _call(self, name: str, relation: Function) -> None:
        table = identifier(f"made {name}")
        call_function(self.con, relation, self.project, [self._query(part) for part in relation.parts], table, name)
        self.tables[name] = table

    def filtered_by_key(self) -> Mapping[str, int]:
        return self._filtered

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

    def adopt(self, dataset: str, staged: Staged) -> None:
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

    def count(self, datasets: Sequence[str]) -> Mapping[str, int]:
        return {name: self._number(f"SELECT count(*) FROM ({self._statement(name)})") for name in datasets}

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

    # SQL ---------------------------------------------------------------------------------------------------------

    def _printer(self) -> RelationPrinter:
        return RelationPrinter(self.tables, self.repeated)

    def _statement(self, dataset: str) -> str:
        if dataset in self.tables:
            return f"SELECT * FROM {self.tables[dataset]}"
        return with_clause([(s.name, s.relation) for s in self.plan.steps], dataset, self.tables, self.repeated)

    def _query(self, relation: Relation) -> str:
        return f"{self._with(relation)} {self._printer().query(relation)}"

    def _with(self, relation: Relation) -> str:
        """The named steps that a relation stands on, in front of it."""
        missing = [name for name in relation.datasets() if name not in self.tables]
        if not missing:
            return ""
        steps = [(s.name, s.relation) for s in self.plan.steps]
        parts = [f"{identifier(name)} AS ({with_clause(steps, name, self.tables, self.repeated)})" for name in missing]
        return "WITH " + ", ".join(parts)

    def _number(self, query: str) -> int:
        # All rows are fetched, though there is one: a result left open would keep other sources from being registered.
        return int(self.con.execute(query).fetchall()[0][0])


def _nodes(relation: Relation) -> list[Relation]:
    return list(relation.walk())


def _rule_counts(source: PlannedSource, found: Sequence[int], late: Late, unreadable: int) -> list[RuleCount]:
    names = {cell.column.name: cell.source for cell in source.contract.cells}

    def columns(rule: Rule | KeyRule | ReferenceRule) -> tuple[str, ...]:
        return tuple(names.get(name, name) for name in rule.columns)

    pairs = zip(source.contract.rules, found, strict=True)
    counts = [RuleCount(r.name, r.version, r.action, rows, columns(r)) for r, rows in pairs]
    counts += [RuleCount(r.name, r.version, r.action, late.counts.get(r.name, 0), columns(r)) for r in late.rules]
    if unreadable:
        counts.append(RuleCount(UNREADABLE, "1", source.contract.unreadable, unreadable))
    return counts
