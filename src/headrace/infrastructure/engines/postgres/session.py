"""One run inside PostgreSQL: load what is not there, judge, prepare, stage, measure, count. Not the order of a run, which is the
orchestrator's.

All that it makes are tables of the staging schema that are not logged: none of them has to outlive a crash of the server, because
what is lost is noticed, and made again from the sources.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from headrace.business.engine import Ingested, Limits, Meeting, Progress, QuarantineTarget
from headrace.business.fetched import Wanted
from headrace.business.inside import DatabaseScan, HeldInside, StagedTable
from headrace.business.model.contract import OnViolation
from headrace.business.model.schema import Schema
from headrace.business.model.types import String
from headrace.business.ports import PROVENANCE, InputFile, ParquetScan, Staged
from headrace.business.processing.expressions.ir import Expr
from headrace.business.processing.increments import ReadUpTo
from headrace.business.processing.plan import Plan, PlannedSource
from headrace.business.processing.relation import Function
from headrace.business.validation.compiled import raw
from headrace.errors import NonRetryableError, RunError
from headrace.infrastructure.engines.duckdb.functions import call_function
from headrace.infrastructure.engines.duckdb.held_rows import HeldRows
from headrace.infrastructure.engines.duckdb.increments import narrowed
from headrace.infrastructure.engines.duckdb.reading import OpenScan
from headrace.infrastructure.engines.duckdb.reading_open import unreadable
from headrace.infrastructure.engines.postgres.checked import Checked
from headrace.infrastructure.engines.postgres.connection import Connection
from headrace.infrastructure.engines.postgres.dialect import DIALECT
from headrace.infrastructure.engines.postgres.expressions import ExpressionPrinter
from headrace.infrastructure.engines.postgres.held import gather
from headrace.infrastructure.engines.postgres.increments import Increment
from headrace.infrastructure.engines.postgres.intake import ROW, Intake
from headrace.infrastructure.engines.postgres.late import Late
from headrace.infrastructure.engines.postgres.staging_area import StagingArea
from headrace.infrastructure.engines.postgres.values import in_python
from headrace.infrastructure.engines.sql.accounts import Counted, accounted
from headrace.infrastructure.engines.sql.meeting import met
from headrace.infrastructure.engines.sql.positions import read_before
from headrace.infrastructure.engines.sql.tally import Tally, tally
from headrace.infrastructure.engines.sql.working import Working

_HELD: tuple[OnViolation, ...] = ("fail", "quarantine", "drop")

_identifier = DIALECT.identifier


class PostgresSession(Working):
    """The tables of one run in the staging schema."""

    def __init__(self, plan: Plan, workspace: Path, project: Path, connection: Connection, limits: Limits) -> None:
        super().__init__(DIALECT, plan)
        workspace.mkdir(parents=True, exist_ok=True)
        self.project, self.connection = project, connection
        self.area = StagingArea(connection, workspace)
        self.intake = Intake(plan, workspace, limits, connection)
        self._held: dict[str, HeldRows] = {}
        self._staged: dict[str, StagedTable] = {}
        with ExitStack() as undone:
            undone.callback(connection.close)
            self.identity = connection.identity
            self.area.open()
            undone.pop_all()

    # Ingest ----------------------------------------------------------------------------------------------------------

    def ingest(self, source: PlannedSource, quarantine: QuarantineTarget, *, after: str | None, progress: Progress) -> Ingested:
        progress(None)
        before = read_before(source, after)
        wanted = Wanted(before.floor, self.plan.definition.retry.policy)
        source = replace(source, scan=narrowed(source, before))
        at_home = isinstance(source.scan, DatabaseScan) and source.scan.database == self.identity
        arrived = self.area.name("arrived", source.name) if not at_home or source.contract.late else None
        scan = self._arrive(source, arrived, wanted, at_home=at_home)
        checked = Checked(source, self.area.name("checked", source.name), keeps_cells=arrived is None)
        self.connection.run(checked.create(arrived or numbered(source)))
        if source.contract.late or any(not step.cheap for step in self.plan.steps):
            self.connection.run(f"ANALYZE {checked.table}")
        late = Late(self.connection, source, checked, self.area.name("late", source.name))
        increment = self._increment(source, checked, before)
        late.find(self.tables, increment.left if increment else "false")
        self._serve(source, checked, late, increment.left if increment else "false")
        found = self._account(source, checked, late, scan, arrived, quarantine, increment)
        if arrived is not None:
            self.connection.run(f"DROP TABLE {arrived}")
        return found

    def _arrive(self, source: PlannedSource, arrived: str | None, wanted: Wanted, *, at_home: bool) -> OpenScan:
        if not at_home:
            return self.intake.load(source.scan, source.name, str(arrived), source.columns_read, wanted)
        if arrived is not None:
            # Late rules find rows that the scan had let go of, and to ask the source again might give others.
            self.connection.run(f"CREATE UNLOGGED TABLE {arrived} AS SELECT * FROM {numbered(source)} AS source")
        return self.intake.nothing_to_read()

    def _increment(self, source: PlannedSource, checked: Checked, before: ReadUpTo) -> Increment | None:
        if source.cursor is None:
            return None
        return Increment(self.connection, source, source.cursor, checked, before, self.area.name("left", source.name))

    def _serve(self, source: PlannedSource, checked: Checked, late: Late, left: str) -> None:
        names = ", ".join(map(_identifier, checked.kept)) or "NULL"
        against = [c for c in (checked.breaks(_HELD), late.breaks(_HELD), left) if c != "false"]
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
        increment: Increment | None,
    ) -> Ingested:
        rejected = scan.rejected()
        counted = Counted(
            self._tally(checked, late, increment.left if increment else "false"),
            late.counts,
            unreadable(self.intake.con, rejected),
        )
        held: HeldRows | None = None
        if counted.broken:
            held = gather(self.intake, source, checked, late, scan, arrived, self.project)
            self._held[source.name] = held
        return accounted(source, counted, held, target, size=scan.bytes_total, cursor=increment.position if increment else None)

    def _tally(self, checked: Checked, late: Late, left: str) -> Tally:
        groups = [*checked.masks, *(late.breaks([action]) for action in _HELD), left]
        positions = ", ".join(str(i) for i in range(1, len(groups) + 1))
        found = self.connection.rows(f"SELECT {', '.join(groups)}, count(*) FROM {checked.table} GROUP BY {positions}")
        return tally(checked.rules, len(checked.masks), found)

    # Transform -------------------------------------------------------------------------------------------------------

    def _keep(self, what: str, query: str, progress: Progress) -> str:
        progress(None)
        table = self.area.name("kept", what)
        self.connection.run(f"CREATE UNLOGGED TABLE {table} AS {query}")
        self.connection.run(f"ANALYZE {table}")
        return table

    def _values(self, query: str) -> Sequence[Sequence[Any]]:
        return self.connection.rows(query)

    def _call(self, name: str, relation: Function) -> str:
        """Its inputs leave the database, and what it makes comes back: the function is here, and the rows are not."""
        inputs = [f"SELECT * EXCLUDE ({PROVENANCE}) FROM {self._outside(part)}" for part in self._inputs(relation)]
        made = _identifier(f"made {name}")
        call_function(self.intake.con, relation, self.project, inputs, made, name)
        table = self.area.name("made", name)
        self.intake.put(made, relation.schema, table)
        self.intake.con.execute(f"DROP TABLE {made}")
        return table

    def _inputs(self, relation: Function) -> list[tuple[str, Schema]]:
        return [(self._query(part), part.schema) for part in relation.parts]

    def _outside(self, part: tuple[str, Schema]) -> str:
        """A relation of DuckDB with the rows of a query. The query is carried out in the session, which alone has all that it needs."""
        query, schema = part
        table = self._keep("given", query, lambda _share: None)
        return self.intake.fetch(f"SELECT * FROM {table}", schema)

    # Stage and measure -----------------------------------------------------------------------------------------------

    def stage(self, dataset: str, folder: Path, progress: Progress) -> StagedTable:  # noqa: ARG002 - it lies in the database
        progress(None)
        schema, table = self.plan.schema(dataset), self.area.name("staged", dataset)
        columns = ", ".join(
            f"CAST({_identifier(c.name)} AS {DIALECT.type_name(c.type)}) AS {_identifier(c.name)}" for c in schema
        )
        with self.connection.transaction():
            rows = self.connection.run(
                f"CREATE UNLOGGED TABLE {table} AS SELECT {columns} FROM ({self._statement(dataset)}) AS result"
            )
            self.area.keep(table)
        size = int(self.connection.rows(f"SELECT pg_table_size({DIALECT.literal(table, String())}::regclass)")[0][0])
        staged = StagedTable(self.identity, table, schema, rows, size)
        self.adopt(dataset, staged)
        return staged

    def adopt(self, dataset: str, staged: Staged | StagedTable) -> None:
        if not isinstance(staged, StagedTable) or staged.database != self.identity:
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
        self.intake.load(ParquetScan(held.schema, files), table, table)
        return f"SELECT {', '.join(f'{_identifier(raw(n))} AS {_identifier(n)}' for n in held.schema.names)} FROM {table}"

    def rows(self, dataset: str, limit: int) -> Sequence[Mapping[str, Any]]:
        found = self._values(f"SELECT * FROM ({self._statement(dataset)}) AS shown LIMIT {int(limit)}")
        schema = self.plan.schema(dataset)
        return [{c.name: in_python(value, c.type) for c, value in zip(schema, row, strict=True)} for row in found]

    def held(self, dataset: str) -> Sequence[Mapping[str, Any]]:
        return self._held[dataset].rows() if dataset in self._held else []

    def interrupt(self) -> None:
        self.connection.interrupt()

    def close(self) -> None:
        """What cannot be dropped now, because the server is gone, is dropped by the next sweep."""
        try:
            self.intake.close()
            with suppress(RunError):
                self.area.close({staged.table for staged in self._staged.values()})
        finally:
            self.connection.close()


def numbered(source: PlannedSource) -> str:
    """The rows of a source that is in the database, as they would have arrived."""
    scan = source.scan
    if not isinstance(scan, DatabaseScan):
        raise TypeError(f"{type(scan).__name__} is not in a database")
    cells = "".join(
        f", CAST({_identifier(c.name)} AS {DIALECT.type_name(c.type)}) AS {_identifier(raw(c.name))}"
        for c in scan.schema
        if c.name in source.columns_read
    )
    return f"(SELECT row_number() OVER () AS {ROW}, 0::bigint AS {PROVENANCE}{cells} FROM ({scan.query}\n) AS source)"
