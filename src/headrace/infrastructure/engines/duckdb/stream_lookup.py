"""What a stream looks up: datasets that stand still, read and judged as in a batch, each kept in a table. Not when they are read again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from headrace.business.engine import Limits, QuarantineTarget
from headrace.business.model.schema import Schema
from headrace.business.ports import InputFile, Scan
from headrace.business.processing.plan import Plan
from headrace.business.processing.relation import Join
from headrace.business.streams.flow import Flow
from headrace.errors import ContractBroken, RetryableError
from headrace.infrastructure.engines.duckdb.session import DuckDBSession
from headrace.infrastructure.engines.duckdb.spare import Spare
from headrace.infrastructure.engines.duckdb.stream_statements import Inlet, Prepared, Statements
from headrace.records import record

if TYPE_CHECKING:
    import pyarrow as pa


@record
class _Shelf:
    """The table of one dataset, and how it is filled."""

    inlet: Inlet
    empty: Prepared
    fill: Prepared


class Lookup:
    """The datasets that stand still. `tables` says what stands after FROM for each."""

    def __init__(
        self, statements: Statements, flow: Flow, workspace: Path, project: Path, limits: Limits, spare: Spare
    ) -> None:
        self.statements, self.flow = statements, flow
        self.workspace, self.project, self.limits, self.spare = workspace / "lookup", project, limits, spare
        self.tables: dict[str, str] = {}
        self._shelves: dict[str, _Shelf] = {}
        for name, rows in self._read().items():
            self._shelves[name] = self._shelf(name, rows)
            self._put(name, rows)

    def refresh(self) -> None:
        """Read them anew. What cannot be read leaves all as they are, and raises."""
        for name, rows in self._read().items():
            self._put(name, rows)

    def _shelf(self, name: str, rows: pa.Table) -> _Shelf:
        schema = self.flow.plan.schema(name)
        kept = Schema(tuple(column for column in schema if column.name in rows.schema.names))
        table = self.statements.table(f"still {name}", kept)
        self.tables[name] = table
        inlet = self.statements.inlet_like(f"read {name}", rows.schema.empty_table())
        return _Shelf(
            inlet,
            self.statements.prepare(f"DELETE FROM {table}"),
            self.statements.prepare(f"INSERT INTO {table} BY NAME FROM {inlet.sql}"),
        )

    def _put(self, name: str, rows: pa.Table) -> None:
        shelf = self._shelves[name]
        self.statements.run(shelf.empty)
        shelf.inlet.hold(rows)
        self.statements.run(shelf.fill)
        shelf.inlet.hold(None)

    def _read(self) -> dict[str, pa.Table]:
        if not self.flow.still:
            return {}
        session = DuckDBSession(self._plan(), self.workspace, self.project, self.limits, self.spare)
        try:
            for source in session.plan.sources:
                held = QuarantineTarget(self.workspace / f"{source.name}.held.parquet", "", "")
                found = session.ingest(source, held, after=None, progress=lambda _: None)
                if found.broken:
                    hint = "mend the data, or let the rule say `on_violation: quarantine`"
                    raise ContractBroken(
                        f"`{source.name}`, which the stream looks up, broke its contract in {found.broken} rows", hint=hint
                    )
            session.prepare(lambda _: None)
            for step, relation in self.flow.steps.items():
                for node in relation.walk():
                    if isinstance(node, Join) and node.single and not self.flow.flowing & set(node.right.datasets()):
                        session.demand_single(node, step)
            return {name: session.table(name) for name in self.flow.still}
        finally:
            session.close()

    def _plan(self) -> Plan:
        """The part of the plan that stands still, with its files as they are now."""
        plan, flowing = self.flow.plan, self.flow.flowing
        sources = tuple(replace(s, scan=_as_it_is(s.scan)) for s in plan.sources if s.name not in flowing)
        steps = tuple(step for step in plan.steps if step.name not in flowing)
        return replace(plan, sources=sources, steps=steps, checks=(), sinks=())


def _as_it_is(scan: Scan) -> Scan:
    """The scan of the same files, whose content may be another by now."""
    files: tuple[InputFile, ...] = getattr(scan, "files", ())
    if not files or any(file.address for file in files):
        return scan
    return replace(scan, files=tuple(map(_now, files)))  # type: ignore[call-arg]


def _now(file: InputFile) -> InputFile:
    try:
        found = Path(file.path).stat()
    except OSError as error:
        raise RetryableError(f"`{file.name}` cannot be read: {error.strerror}", hint="see that it is there") from error
    return replace(file, bytes=found.st_size, modified_ns=found.st_mtime_ns, sha256=None)
