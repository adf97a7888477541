"""Carries out one batch run: ingest and judge, transform, stage, audit, publish. It decides the order, and does none of it itself.

Every stage is told as an event; nothing is published before every blocking check has passed, and then each sink once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from headrace.application.orchestrator.accounting import check_source, rows_of_steps
from headrace.application.orchestrator.audit import audit
from headrace.application.orchestrator.graph import describe
from headrace.application.orchestrator.increments import HashFile, Work, checkpoint_name, identity, inside
from headrace.application.orchestrator.keeping import Keeping
from headrace.application.orchestrator.targets import Targets
from headrace.application.queries.quality import check_history
from headrace.bus.bus import EventBus
from headrace.bus.events import (
    DataIngestedEvent,
    DataProcessedEvent,
    DataStagedEvent,
    DataStoredEvent,
    DataValidatedEvent,
    Event,
    PipelineCancelledEvent,
    PipelineCompletedEvent,
    PipelineFailedEvent,
    PipelineStartedEvent,
)
from headrace.business.engine import Engine, Ingested, QuarantineTarget, Session
from headrace.business.ports import Checkpoint, Position, Staged
from headrace.business.processing.plan import Plan, PlannedSink, PlannedSource
from headrace.errors import AuditFailed, ContractBroken, HeadraceError, Unbalanced


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be run, and on what."""

    run_id: str
    plan: Plan
    project: Path
    workspace: Path
    quarantine: Path
    work: Work
    params: Mapping[str, Any] = field(default_factory=dict)
    definition: str | None = None
    force: bool = False
    identity: Mapping[str, Any] | None = None
    """What the run's publications stand for, when that is not the state of its sources."""
    keeping: Keeping | None = None


class BatchRun:
    """One run. `execute` returns when it has ended, and raises what ended it; the event log has it either way."""

    def __init__(
        self, order: Order, engine: Engine, bus: EventBus, hash_file: HashFile, busy: Callable[[str, float | None], None]
    ) -> None:
        self.order, self.engine, self.bus, self.hash_file, self.busy = order, engine, bus, hash_file, busy
        self.plan = order.plan
        self.started = time.monotonic()
        self.now = datetime.now(UTC)
        self.ingested: dict[str, Ingested] = {}
        self.staged: dict[str, Staged] = {}
        self.states: dict[tuple[str, bool], Any] = {}

    def execute(self) -> None:
        pipeline = self.plan.definition.pipeline
        graph = describe(replace(self.plan, sinks=self.order.work.sinks))
        self._tell(PipelineStartedEvent(pipeline, self.plan.fingerprint, self.order.params, self.order.definition, graph))
        try:
            unchanged = self._nothing_to_do()
            if not unchanged:
                self._carry_out()
        except KeyboardInterrupt:
            self._tell(PipelineCancelledEvent(pipeline, self._seconds()))
            raise
        except HeadraceError as error:
            self._tell(PipelineFailedEvent(pipeline, type(error).__name__, error.message, error.hint, self._seconds()))
            raise
        except Exception as error:
            self._tell(PipelineFailedEvent(pipeline, type(error).__name__, str(error), None, self._seconds()))
            raise
        self._tell(PipelineCompletedEvent(pipeline, self._seconds(), unchanged))

    # The stages, in order --------------------------------------------------------------------------------------------

    def _nothing_to_do(self) -> bool:
        """Whether every sink already holds what this run would give it."""
        if self.order.force or self.order.identity or not self.plan.sinks:
            return False
        if self.order.work.nothing_new:
            return True
        if self.order.work.cursors or any(s.cursor for s in self.plan.sources):
            return False
        return all(self._holds(sink) for sink in self.order.work.sinks)

    def _holds(self, sink: PlannedSink) -> bool:
        name = self._checkpoint(sink).name
        return any(c.name == name for c in sink.publisher.ledger(self.order.project))

    def _carry_out(self) -> None:
        for sink in self.order.work.sinks:
            self._checkpoint(sink)
        session = self.engine.session(self.plan, self.order.workspace, self.order.project)
        try:
            self._ingest(session)
            if self.order.keeping and any(found.quarantine for found in self.ingested.values()):
                self.order.keeping.demand_room()
            self.busy("transforming", None)
            session.prepare(lambda share: self.busy("transforming", share))
            self._stage(session)
            self._account(session)
            self._audit(session)
        finally:
            session.close()
        self._publish()

    def _ingest(self, session: Session) -> None:
        for source in self.plan.sources:
            begun = time.monotonic()
            what = f"reading {source.name}"
            self.busy(what, None)
            target = QuarantineTarget(
                self.order.quarantine / source.name / f"{self.order.run_id}.parquet",
                self.plan.definition.pipeline,
                self.order.run_id,
            )
            after = self.order.work.cursors.get(source.name)
            found = session.ingest(source, target, after=after, progress=lambda share, what=what: self.busy(what, share))  # type: ignore[misc]
            check_source(found)
            self.ingested[source.name] = found
            seconds = time.monotonic() - begun
            self._tell(
                DataIngestedEvent(source.name, source.origin, found.read, len(found.files), found.bytes, seconds),
                _validated(found, seconds),
            )
            if found.broken:
                raise _broken(found)

    def _stage(self, session: Session) -> None:
        for dataset in self.plan.staged:
            begun = time.monotonic()
            what = f"staging {dataset}"
            self.busy(what, None)
            folder = self.order.workspace / "staged" / dataset
            staged = session.stage(dataset, folder, lambda share, what=what: self.busy(what, share))  # type: ignore[misc]
            self.staged[dataset] = staged
            self._tell(
                DataStagedEvent(
                    dataset,
                    staged.rows,
                    staged.bytes,
                    [str(f) for f in staged.files],
                    [[c.name, str(c.type)] for c in staged.schema],
                    time.monotonic() - begun,
                )
            )

    def _account(self, session: Session) -> None:
        known = {name: found.good for name, found in self.ingested.items()} | {n: s.rows for n, s in self.staged.items()}
        for rows in rows_of_steps(self.plan, known, session.filtered_by_key(), session.count):
            self._tell(DataProcessedEvent(rows.step.name, rows.step.kind, rows.inputs, rows.rows, rows.filtered, rows.added))
        for name, found in self.ingested.items():
            if name in self.staged and self.staged[name].rows != found.good:
                raise Unbalanced(f"{name}: {found.good} good rows, but {self.staged[name].rows} were staged")

    def _audit(self, session: Session) -> None:
        if not self.plan.checks:
            return
        self.busy("auditing", None)
        history = check_history(self.bus.store, self.plan.definition.pipeline)
        targets = Targets(self.plan, session, self.order.project, self.order.workspace / "targets", self._holds)
        outcomes = list(audit(self.plan, session, targets.measure, history, self.now))
        self._tell(*outcomes)
        blocking = [c for c in outcomes if c.outcome in ("fail", "error") and c.on_fail == "block"]
        if blocking:
            shown = "; ".join(f"{c.check}: {c.observed}, expected {c.expected}" for c in blocking)
            raise AuditFailed(
                f"{len(blocking)} of {len(outcomes)} checks did not pass: {shown}",
                hint="nothing was published; mend the data or the check, or let it only warn with `on_fail: warn`",
            )

    def _publish(self) -> None:
        for staged in self.staged.values():
            self.engine.verify(staged)
        for sink in self.order.work.sinks:
            begun = time.monotonic()
            self.busy(f"publishing {sink.name}", None)
            staged = self.staged[sink.dataset]
            checkpoint = self._checkpoint(sink)
            done = sink.publisher.publish(self.order.project, staged, checkpoint)
            if not done.already and done.inserted + done.updated + done.unchanged != staged.rows:
                raise Unbalanced(
                    f"sink `{sink.name}`: {staged.rows} rows were staged, but {done.inserted} inserted + {done.updated} updated + "
                    f"{done.unchanged} unchanged"
                )
            self._tell(
                DataStoredEvent(
                    sink=sink.name,
                    kind=sink.kind,
                    dataset=sink.dataset,
                    target=done.target,
                    checkpoint=checkpoint.name,
                    rows=staged.rows,
                    inserted=done.inserted,
                    updated=done.updated,
                    deleted=done.deleted,
                    unchanged=done.unchanged,
                    already=done.already,
                    files=len(done.files),
                    seconds=time.monotonic() - begun,
                )
            )

    # What they need --------------------------------------------------------------------------------------------------

    def _checkpoint(self, sink: PlannedSink) -> Checkpoint:
        append = getattr(sink.publisher, "mode", "replace") == "append"
        cursors = {name: Position(found.cursor) for name, found in self.ingested.items() if found.cursor}
        inputs = dict(self.order.identity or {})
        for source in () if self.order.identity else self.plan.sources:
            span = (self.order.work.cursors.get(source.name), cursors.get(source.name)) if source.cursor else None
            inputs[source.name] = list(span) if span else self._state_of(source, content=append)
        name = checkpoint_name(self.plan, sink, self.order.params, inputs, self.order.run_id)
        if self.order.force:
            name = name[:16] + self.order.run_id.replace("-", "")[-16:]
        project = self.order.project
        read = {
            name: [replace(f, path=inside(f.path, project)) for f in files] for name, files in self.order.work.files.items()
        }
        return Checkpoint(name, self.plan.definition.pipeline, self.order.run_id, self.now, read, cursors)

    def _state_of(self, source: PlannedSource, *, content: bool) -> Any:
        """What tells the state of a source that was read from others. It is found out once, before the reading, which fails when the
        files have changed by then: what comes into them later must not pass for what was read."""
        key = (source.name, content)
        if key not in self.states:
            self.states[key] = identity(source, self.hash_file, self.order.project, content=content)
        return self.states[key]

    def _tell(self, *events: Event) -> None:
        self.bus.publish(self.order.run_id, *events)

    def _seconds(self) -> float:
        return round(time.monotonic() - self.started, 6)


def _validated(found: Ingested, seconds: float) -> DataValidatedEvent:
    return DataValidatedEvent(
        dataset=found.dataset,
        read=found.read,
        good=found.good,
        quarantined=found.quarantined,
        dropped=found.dropped,
        filtered=found.filtered,
        rules=[asdict(rule) for rule in found.rules],
        examples=[asdict(example) for example in found.examples],
        quarantine=str(found.quarantine) if found.quarantine else None,
        seconds=seconds,
    )


def _broken(found: Ingested) -> ContractBroken:
    rules: Sequence[str] = [f"{r.rule} ({r.rows} rows)" for r in found.rules if r.action == "fail" and r.rows]
    return ContractBroken(
        f"dataset `{found.dataset}` breaks what must not be broken: {', '.join(rules)}",
        hint="no target was touched; `headrace quarantine show` has the rows",
    )
