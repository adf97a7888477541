"""One run inside Snowflake: load what is not there, judge, prepare, stage, measure, count. Not the order of a run, which is the
orchestrator's.

All that it makes are transient tables of the staging schema, dropped when it is closed, but for what is staged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from headrace.business.engine import Ingested, Limits, Meeting, Progress, QuarantineTarget
from headrace.business.fetched import Wanted
from headrace.business.inside import DatabaseScan, HeldInside, StagedTable
from headrace.business.model.contract import OnViolation
from headrace.business.model.schema import Schema
from headrace.business.ports import PROVENANCE, InputFile, ParquetScan, Staged
from headrace.business.processing.expressions.ir import Expr
from headrace.business.processing.plan import Plan, PlannedSource
from headrace.business.processing.relation import Function
from headrace.business.validation.compiled import raw
from headrace.errors import NonRetryableError, RunError
from headrace.infrastructure.engines.duckdb.functions import call_function
from headrace.infrastructure.engines.duckdb.held_rows import HeldRows
from headrace.infrastructure.engines.duckdb.reading import OpenScan
from headrace.infrastructure.engines.duckdb.reading_open import unreadable
from headrace.infrastructure.engines.snowflake.checked import Checked
from headrace.infrastructure.engines.snowflake.connection import Connection
from headrace.infrastructure.engines.snowflake.dialect import DIALECT
from headrace.infrastructure.engines.snowflake.expressions import ExpressionPrinter
from headrace.infrastructure.engines.snowflake.held import gather
from headrace.infrastructure.engines.snowflake.intake import ROW, Intake
from headrace.infrastructure.engines.snowflake.late import Late
from headrace.infrastructure.engines.snowflake.staging_area import StagingArea
from headrace.infrastructure.engines.snowflake.values import in_python
from headrace.infrastructure.engines.sql.accounts import Counted, accounted
from headrace.infrastructure.engines.sql.meeting import met
from headrace.infrastructure.engines.sql.positions import read_before
from headrace.infrastructure.engines.sql.tally import Tally, tally
from headrace.infrastructure.engines.sql.working import Working

_HELD: tuple[OnViolation, ...] = ("fail", "quarantine", "drop")

_identifier = DIALECT.identifier


class SnowflakeSession(Working):
    """The tables of one run in the staging schema."""

    def __init__(self, plan: Plan, workspace: Path, project: Path, connection: Connection, limits: Limits) -> None:
        super().__init__(DIALECT, plan)
        workspace.mkdir(parents=True, exist_ok=True)
        self.project, self.connection = project, connection
        self.area = StagingArea(connection, workspace)
        self.intake = Intake(plan, workspace, limits, self.area)
        self._held: dict[str, HeldRows] = {}
        self._staged: dict[str, StagedTable] = {}
        with ExitStack() as undone:
            undone.callback(connection.close)
            self.area.open()
            undone.pop_all()

    # Ingest ----------------------------------------------------------------------------------------------------------

    def ingest(self, source: PlannedSource, quarantine: QuarantineTarget, *, after: str | None, progress: Progress) -> Ingested:
        progress(None)
        read_before(source, after)
        wanted = Wanted(None, self.plan.definition.retry.policy)
        at_home = is_at_home(source, self.connection.identity)
        arrived = self.area.name("arrived", source.name) if not at_home or source.contract.late else None
        scan = self._arrive(source, arrived, wanted, at_home=at_home)
        checked = Checked(source, self.area.name("checked", source.name), keeps_cells=arrived is None)
        self.area.make(checked.table, checked.query(self.intake.relation(arrived) if arrived else numbered(source)))
        late = Late(self.area, source, checked)
        late.find(self.tables)
        self._serve(source, checked, late)
        found = self._account(source, checked, late, scan, arrived, quarantine)
        if arrived is not None:
            self.area.drop(arrived)
        return found

    def _arrive(self, source: PlannedSource, arrived: str | None, wanted: Wanted, *, at_home: bool) -> OpenScan:
        if not at_home:
            return self.intake.load(source.scan, source.name, str(arrived), source.columns_read, wanted)
        if arrived is not None:
            # Late rules find rows that the scan had let go of, and to ask the source again might give others.
            self.area.make(arrived, f"SELECT * FROM {numbered(source)} AS source")
        return self.intake.nothing_to_read()

    def _serve(self, source: PlannedSource, checked: Checked, late: Late) -> None:
        names = ", ".join(map(_identifier, checked.kept)) or "NULL"
        against = [c for c in (checked.breaks(_HELD), late.breaks(_HELD)) if c != "FALSE"]
        where = f" WHERE NOT ({' OR '.join(against)})" if against else ""
        self.tables[source.name] = f"(SELECT {names} FROM {checked.table}{where})"

    def _account(
        self,
        source: PlannedSource,
        checked: Checked,
        late: Late,
        scan: OpenScan,
        arrived: str | None,
        target: QuarantineTarget,
    ) -> Ingested:
        rejected = scan.rejected()
        counted = Counted(self._tally(checked, late), late.counts, unreadable(self.intake.con, rejected))
        held: HeldRows | None = None
        if counted.broken:
            cells = self.intake.relation(arrived) if arrived else None
            held = gather(self.intake, source, checked, late, scan, cells, self.project)
            self._held[source.name] = held
        return accounted(source, counted, held, target, size=scan.bytes_total, cursor=None)

    def _tally(self, checked: Checked, late: Late) -> Tally:
        conditions = [f"({late.breaks([action])})" for action in _HELD]
        marks = [f"CASE WHEN {c} THEN 1 ELSE 0 END" for c in conditions]
        groups = [*checked.masks, *(f'{mark} AS "held {i}"' for i, mark in enumerate(marks)), '0 AS "before"']
        names = [*checked.masks, *(f'"held {i}"' for i in range(len(marks))), '"before"']
        inner = f"SELECT {', '.join(groups)} FROM {checked.table}"
        listed = ", ".join(names)
        found = self.connection.rows(f"SELECT {listed}, COUNT(*) FROM ({inner}) AS marked GROUP BY {listed}")
        return tally(checked.rules, len(checked.masks), [[int(value) for value in row] for row in found])

    # Transform -------------------------------------------------------------------------------------------------------

    def _keep(self, what: str, query: str, progress: Progress) -> str:
        progress(None)
        table = self.area.name("kept", what)
        self.area.make(table, query)
        return table

    def _values(self, query: str) -> Sequence[Sequence[Any]]:
        return self.connection.rows(query)

    def _call(self, name: str, relation: Function) -> str:
        """Its inputs leave the database, and what it makes comes back: the function is here, and the rows are not."""
        given = [(self._keep("given", self._query(part), lambda _share: None), part.schema) for part in relation.parts]
        inputs = [
            f"SELECT * EXCLUDE ({PROVENANCE}) FROM {self.intake.fetch(f'SELECT {_columns(schema)} FROM {table}', schema)}"
            for table, schema in given
        ]
        made = _identifier(f"made {name}")
        call_function(self.intake.con, relation, self.project, inputs, made, name)
        table = self.area.name("made", name)
        self.intake.put(made, relation.schema, table)
        self.intake.con.execute(f"DROP TABLE {made}")
        return self.intake.relation(table)

    # Stage and measure -----------------------------------------------------------------------------------------------

    def stage(self, dataset: str, folder: Path, progress: Progress) -> StagedTable:  # noqa: ARG002 - it lies in the database
        progress(None)
        schema, table = self.plan.schema(dataset), self.area.name("staged", dataset)
        columns = ", ".join(
            f"CAST({_identifier(c.name)} AS {DIALECT.type_name(c.type)}) AS {_identifier(c.name)}" for c in schema
        )
        rows = self.area.make(table, f"SELECT {columns} FROM ({self._statement(dataset)}) AS result")
        staged = StagedTable(self.connection.identity, table, schema, rows, self.area.size(table))
        self.adopt(dataset, staged)
        return staged

    def adopt(self, dataset: str, staged: Staged | StagedTable) -> None:
        if not isinstance(staged, StagedTable) or staged.database != self.connection.identity:
            raise NonRetryableError(f"`{dataset}` was staged elsewhere", hint="run the pipeline again, from the start")
        self._staged[dataset] = staged
        self.tables[dataset] = staged.table

    def measure(self, dataset: str, measures: Mapping[str, Expr], meeting: Meeting | None = None) -> Mapping[str, Any]:
        if not measures:
            return {}
        printer = ExpressionPrinter(self._query)
        columns = ", ".join(f"{printer.sql(e)} AS {_identifier(name)}" for name, e in measures.items())
        rows = self._statement(dataset)
        rows = met(rows, self._held_by_target(meeting.held), meeting, _identifier) if meeting else rows
        (found,) = self._values(f"SELECT {columns} FROM ({rows}) AS measured")
        return {name: in_python(value, e.type) for (name, e), value in zip(measures.items(), found, strict=True)}

    def _held_by_target(self, held: Staged | HeldInside) -> str:
        """What a target holds, as a query: where it is, or copied from where it was."""
        if isinstance(held, HeldInside):
            cells = (
                f"CAST({_identifier(c.name)} AS {DIALECT.type_name(c.type)}) AS {_identifier(c.name)}" for c in held.schema
            )
            return f"SELECT {', '.join(cells)} FROM ({held.query}) AS target"
        table = self.area.name("target", "held")
        files = tuple(InputFile(str(f), f.stat().st_size, f.stat().st_mtime_ns) for f in held.files)
        self.intake.load(ParquetScan(held.schema, files), "held by the target", table)
        named = (f"{_identifier(raw(n))} AS {_identifier(n)}" for n in held.schema.names)
        return f"SELECT {', '.join(named)} FROM {self.intake.relation(table)} AS target"

    def rows(self, dataset: str, limit: int) -> Sequence[Mapping[str, Any]]:
        schema = self.plan.schema(dataset)
        found = self._values(f"SELECT {_columns(schema)} FROM ({self._statement(dataset)}) AS shown LIMIT {int(limit)}")
        return [{c.name: in_python(value, c.type) for c, value in zip(schema, row, strict=True)} for row in found]

    def held(self, dataset: str) -> Sequence[Mapping[str, Any]]:
        return self._held[dataset].rows() if dataset in self._held else []

    def interrupt(self) -> None:
        self.connection.interrupt()

    def close(self) -> None:
        """What cannot be dropped now, because the service cannot be reached, is dropped by the next sweep."""
        try:
            self.intake.close()
            with suppress(RunError, KeyboardInterrupt):
                self.area.close({staged.table for staged in self._staged.values()})
        finally:
            self.connection.close()


def is_at_home(source: PlannedSource, identity: str) -> bool:
    return isinstance(source.scan, DatabaseScan) and source.scan.database == identity


def numbered(source: PlannedSource) -> str:
    """The rows of a source that is in the database, as they would have arrived."""
    scan = source.scan
    if not isinstance(scan, DatabaseScan):
        raise TypeError(f"{type(scan).__name__} is not in a database")
    cells = "".join(
        f", CAST({_identifier(c.name)} AS {DIALECT.type_name(c.type)}) AS {_identifier(raw(c.name))}" for c in scan.schema
    )
    number = f"ROW_NUMBER() OVER (ORDER BY 1) AS {ROW}"
    return f"(SELECT {number}, 0 AS {_identifier(PROVENANCE)}{cells} FROM ({scan.query}\n) AS source)"


def _columns(schema: Schema) -> str:
    return ", ".join(map(_identifier, schema.names)) or "NULL"
