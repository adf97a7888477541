"""One run on Spark: bring rows to the executors, judge, prepare, stage, measure, count. Not the order of a run, which is the
orchestrator's.

Nothing is collected here but counts, samples and examples. What is kept between two statements is Parquet that executors write and read.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from headrace.business.engine import Ingested, Limits, Meeting, Progress, QuarantineTarget
from headrace.business.fetched import Wanted
from headrace.business.inside import HeldInside, StagedTable
from headrace.business.ports import InputFile, Staged
from headrace.business.processing.expressions.ir import Expr
from headrace.business.processing.plan import Plan, PlannedSource
from headrace.business.processing.relation import Function
from headrace.errors import NonRetryableError
from headrace.infrastructure.engines.duckdb.held_rows import HeldRows
from headrace.infrastructure.engines.duckdb.increments import narrowed
from headrace.infrastructure.engines.duckdb.reading import OpenScan
from headrace.infrastructure.engines.duckdb.reading_open import unreadable
from headrace.infrastructure.engines.duckdb.reading_text import unchanged
from headrace.infrastructure.engines.spark.area import Area, parts, read
from headrace.infrastructure.engines.spark.checked import Checked
from headrace.infrastructure.engines.spark.cluster import Cluster
from headrace.infrastructure.engines.spark.dialect import DIALECT
from headrace.infrastructure.engines.spark.expressions import ExpressionPrinter
from headrace.infrastructure.engines.spark.functions import call_function
from headrace.infrastructure.engines.spark.held import gather
from headrace.infrastructure.engines.spark.in_place import relation
from headrace.infrastructure.engines.spark.increments import LEFT, Reading, reading
from headrace.infrastructure.engines.spark.intake import Intake
from headrace.infrastructure.engines.spark.late import HELD, Late
from headrace.infrastructure.engines.spark.naming import identifier
from headrace.infrastructure.engines.spark.staging import settled
from headrace.infrastructure.engines.spark.values import fetched, in_python
from headrace.infrastructure.engines.sql.accounts import Counted, accounted
from headrace.infrastructure.engines.sql.meeting import met
from headrace.infrastructure.engines.sql.positions import read_before
from headrace.infrastructure.engines.sql.tally import Tally, tally
from headrace.infrastructure.engines.sql.working import Working


class SparkSession(Working):
    """The rows of one run, in a folder that executors see as well."""

    def __init__(self, plan: Plan, workspace: Path, project: Path, cluster: Cluster, limits: Limits) -> None:
        super().__init__(DIALECT, plan)
        workspace.mkdir(parents=True, exist_ok=True)
        self.project, self.cluster = project, cluster
        staging = cluster.settings.staging
        self._shared = Path(staging) if staging else None
        self.area = Area(cluster, self._shared or workspace)
        self.intake = Intake(plan, workspace, limits, self.area.folder)
        self._held: dict[str, HeldRows] = {}

    # Ingest ----------------------------------------------------------------------------------------------------------

    def ingest(self, source: PlannedSource, quarantine: QuarantineTarget, *, after: str | None, progress: Progress) -> Ingested:
        progress(None)
        before = read_before(source, after)
        wanted = Wanted(before.floor, self.plan.definition.retry.policy)
        source = replace(source, scan=narrowed(source, before))
        scan, arrived, untouched = self._arrive(source, wanted)
        checked = Checked(source)
        judged = self.area.write("checked", source.name, checked.query(arrived))
        found = reading(self.area, self.intake, source, checked, judged, before)
        late = Late(self.area, source, checked, found.rows)
        late.find(self.tables, found.left)
        self._serve(source, checked, late, found.left)
        ingested = self._account(source, checked, late, scan, arrived, quarantine, found)
        for file in untouched:
            unchanged(file)
        return ingested

    def _arrive(self, source: PlannedSource, wanted: Wanted) -> tuple[OpenScan, str, Sequence[InputFile]]:
        """What stands after FROM for the rows where executors read them, and the files that have to stay as they are for that."""
        if (in_place := relation(source.scan, self.cluster.settings)) is not None:
            scan = self.intake.nothing_to_read(source.scan)
            return scan, in_place, scan.files
        arrived = self.area.path("arrived", source.name).with_suffix(".parquet")
        return self.intake.load(source.scan, source.name, arrived, source.columns_read, wanted), read(arrived), ()

    def _serve(self, source: PlannedSource, checked: Checked, late: Late, left: str) -> None:
        names = ", ".join(map(identifier, checked.kept)) or "NULL"
        against = [c for c in (checked.breaks(HELD), late.breaks(HELD), left) if c != "false"]
        where = f" WHERE NOT ({' OR '.join(against)})" if against else ""
        self.tables[source.name] = f"(SELECT {names} FROM {late.rows}{where})"

    def _account(
        self,
        source: PlannedSource,
        checked: Checked,
        late: Late,
        scan: OpenScan,
        arrived: str,
        target: QuarantineTarget,
        found: Reading,
    ) -> Ingested:
        rejected = scan.rejected()
        counted = Counted(self._tally(checked, late, found.left), late.counts, unreadable(self.intake.con, rejected))
        held: HeldRows | None = None
        if counted.broken:
            held = gather(self.area, self.intake, source, checked, late, scan, arrived, self.project)
            self._held[source.name] = held
        return accounted(source, counted, held, target, size=scan.bytes_total, cursor=found.position)

    def _tally(self, checked: Checked, late: Late, left: str) -> Tally:
        groups = [*checked.masks, *(f"{late.breaks([action])} AS `#{action}`" for action in HELD), f"{left} AS {LEFT}"]
        names = [*checked.masks, *(f"`#{action}`" for action in HELD), LEFT]
        found = self.cluster.rows(
            f"SELECT {', '.join(names)}, count(*) FROM (SELECT {', '.join(groups)} FROM {late.rows}) GROUP BY {', '.join(names)}"
        )
        return tally(checked.rules, len(checked.masks), found)

    # Transform -------------------------------------------------------------------------------------------------------

    def _keep(self, what: str, query: str, progress: Progress) -> str:
        progress(None)
        return read(self.area.write("kept", what, query))

    def _values(self, query: str) -> Sequence[Sequence[Any]]:
        return self.cluster.rows(query)

    def _call(self, name: str, relation: Function) -> str:
        return read(call_function(self.area, relation, self.project, [self._query(part) for part in relation.parts], name))

    # Stage and measure -----------------------------------------------------------------------------------------------

    def stage(self, dataset: str, folder: Path, progress: Progress) -> Staged:
        progress(None)
        schema = self.plan.schema(dataset)
        columns = ", ".join(
            f"CAST({identifier(c.name)} AS {DIALECT.type_name(c.type)}) AS {identifier(c.name)}" for c in schema
        )
        written = self.area.write("staged", dataset, f"SELECT {columns} FROM ({self._statement(dataset)}\n)")
        self.tables[dataset] = read(written)
        return settled(self.intake.con, parts(written), schema, folder)

    def adopt(self, dataset: str, staged: Staged | StagedTable) -> None:
        if isinstance(staged, StagedTable):
            raise NonRetryableError(f"`{dataset}` lies in a database that this engine does not know")
        self.tables[dataset] = self._seen(dataset, staged)

    def _seen(self, about: str, staged: Staged) -> str:
        """Staged files where executors see them, in Spark's types."""
        files: Sequence[Path] = staged.files
        if self._shared is not None:
            folder = self.area.path("adopted", about)
            folder.mkdir()
            files = [Path(shutil.copy(file, folder / f"part-{i}.parquet")) for i, file in enumerate(files)]
        columns = ", ".join(
            f"CAST({identifier(c.name)} AS {DIALECT.type_name(c.type)}) AS {identifier(c.name)}" for c in staged.schema
        )
        if not files:
            nothing = ", ".join(f"CAST(NULL AS {DIALECT.type_name(c.type)}) AS {identifier(c.name)}" for c in staged.schema)
            return f"(SELECT {nothing} WHERE false)"
        return f"(SELECT {columns} FROM {read(*files)})"

    def measure(self, dataset: str, measures: Mapping[str, Expr], meeting: Meeting | None = None) -> Mapping[str, Any]:
        if not measures:
            return {}
        printer = ExpressionPrinter(self._query)
        columns = ", ".join(f"{fetched(printer.sql(e), e.type)} AS {identifier(name)}" for name, e in measures.items())
        rows = self._statement(dataset)
        rows = met(rows, self._held_by_target(meeting.held), meeting, identifier) if meeting else rows
        (found,) = self._values(f"SELECT {columns} FROM ({rows}\n)")
        return {name: in_python(value, e.type) for (name, e), value in zip(measures.items(), found, strict=True)}

    def _held_by_target(self, held: Staged | HeldInside) -> str:
        if isinstance(held, HeldInside):
            raise TypeError(f"{held.database} is no place that this engine knows")
        return f"SELECT * FROM {self._seen('target', held)}"

    def rows(self, dataset: str, limit: int) -> Sequence[Mapping[str, Any]]:
        schema = self.plan.schema(dataset)
        columns = ", ".join(f"{fetched(identifier(c.name), c.type)} AS {identifier(c.name)}" for c in schema)
        found = self._values(f"SELECT {columns} FROM ({self._statement(dataset)}\n) LIMIT {int(limit)}")
        return [{c.name: in_python(value, c.type) for c, value in zip(schema, row, strict=True)} for row in found]

    def held(self, dataset: str) -> Sequence[Mapping[str, Any]]:
        return self._held[dataset].rows() if dataset in self._held else []

    def interrupt(self) -> None:
        self.cluster.interrupt()

    def close(self) -> None:
        with ExitStack() as closing:
            closing.callback(self.area.close)
            closing.callback(self.cluster.close)
            closing.callback(self.intake.close)
