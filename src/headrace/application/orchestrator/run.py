"""Carries out one batch run: ingest and judge, transform, stage, audit, publish. It decides the order, and does none of it itself.

Every stage is told as an event; nothing is published before every blocking check has passed, and then each sink once. What is
staged is durable: a run that is gone on with begins behind it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

from headrace.application.orchestrator.accounting import check_source, rows_of_steps
from headrace.application.orchestrator.audit import audit
from headrace.application.orchestrator.breakers import system_of
from headrace.application.orchestrator.graph import describe
from headrace.application.orchestrator.handing import Handing
from headrace.application.orchestrator.increments import HashFile, Work, checkpoint_name, identity, inside
from headrace.application.orchestrator.keeping import Keeping
from headrace.application.orchestrator.readiness import Ready
from headrace.application.orchestrator.targets import Targets
from headrace.application.queries.quality import check_history
from headrace.application.queries.records import Records
from headrace.bus.events import (
    DataIngestedEvent,
    DataProcessedEvent,
    DataStagedEvent,
    DataStoredEvent,
    DataValidatedEvent,
    Event,
    PipelineStartedEvent,
)
from headrace.bus.lifecycle import DataIndexedEvent, PipelineResumedEvent
from headrace.business.engine import Engine, Ingested, KeepsTables, QuarantineTarget, Session
from headrace.business.inside import StagedTable
from headrace.business.ports import Checkpoint, Fence, FileScan, Position, Staged
from headrace.business.processing.plan import Plan, PlannedSink, PlannedSource
from headrace.errors import AuditFailed, ContractBroken, Unbalanced
from headrace.records import record

T = TypeVar("T")


@record
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
    trigger: str = "command"
    attempt: int = 1
    force: bool = False
    identity: Mapping[str, Any] | None = None
    """What the run's publications stand for, when that is not the state of its sources."""
    keeping: Keeping | None = None
    stored: frozenset[str] = frozenset()
    """The sinks to which an earlier attempt has published."""


class Surroundings(Protocol):
    """What a run needs of the one who carries it out."""

    records: Records
    hash_file: HashFile
    fence: Fence

    def tell(self, *events: Event) -> None:
        """Append what happened. Raises `LeaseLost` when the run is no longer ours."""
        ...

    def busy(self, what: str, share: float | None) -> None: ...

    def keep(self, ready: Ready) -> None:
        """Write down what lies ready, durably."""
        ...

    def before_publishing(self, sink: PlannedSink) -> None:
        """Be sure that the run is still ours."""
        ...

    def attempted(self, step: str, operation: Callable[[], T], system: str | None = None) -> T:
        """What an operation gives, which is tried again when it fails in a way that may pass, as the definition says. `system` is
        the remote one that it reaches, whose circuit breaker is asked before each attempt."""
        ...

    def reached(self, point: str) -> None:
        """A named point was reached, at which tests and `headrace chaos` let the process die."""
        ...


class BatchRun:
    """One run. `execute` returns when all is published, and raises what kept it from that."""

    def __init__(self, order: Order, engine: Engine, around: Surroundings) -> None:
        self.order, self.engine, self.around = order, engine, around
        self.plan = order.plan
        self.now = datetime.now(UTC)
        self.cursors: dict[str, str] = {}
        self.names: dict[str, str] = {}
        self.ingested: dict[str, Ingested] = {}
        self.staged: dict[str, Staged | StagedTable] = {}
        self.states: dict[tuple[str, bool], Any] = {}
        self.session: Session | None = None

    def interrupt(self) -> None:
        """Stop the statement that the engine is at, from another thread."""
        if self.session is not None:
            self.session.interrupt()

    def execute(self, ready: Ready | None = None) -> bool:
        """Carry it out, from the start or behind what lies ready. Whether there was anything to do."""
        if ready is not None:
            self._go_on(ready)
            return True
        self._tell_start()
        if self._nothing_to_do():
            return False
        self._carry_out()
        return True

    def clear_away(self) -> None:
        """Drop what lies staged in a database, when all of it is published and told of."""
        if isinstance(self.engine, KeepsTables):
            self.engine.discard(staged for staged in self.staged.values() if isinstance(staged, StagedTable))

    # The stages, in order --------------------------------------------------------------------------------------------

    def _tell_start(self) -> None:
        graph = describe(replace(self.plan, sinks=self.order.work.sinks))
        self.around.tell(
            PipelineStartedEvent(
                self.order.run_id,
                pipeline=self.plan.definition.pipeline,
                fingerprint=self.plan.fingerprint,
                params=self.order.params,
                definition=self.order.definition,
                graph=graph,
                trigger=self.order.trigger,
            )
        )

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
        name = self._name(sink)
        return any(c.name == name for c in sink.publisher.ledger(self.order.project))

    def _carry_out(self) -> None:
        for sink in self.order.work.sinks:
            self._states(sink)
        session = self._open()
        try:
            self._ingest(session)
            if self.order.keeping and any(found.quarantine for found in self.ingested.values()):
                self.order.keeping.demand_room()
            self.around.reached("ingested")
            self.around.busy("transforming", None)
            self.around.attempted(
                "transforming", lambda: session.prepare(lambda share: self.around.busy("transforming", share))
            )
            self._stage(session)
            self._account(session)
            names = {sink.name: self._name(sink) for sink in self.order.work.sinks}
            ready = Ready(self.order.work, self.staged, names, self.cursors)
            self.around.keep(ready)
            self.around.reached("staged")
            self._audit(session)
            self.around.keep(ready.with_audit())
            self.around.reached("audited")
        finally:
            session.close()
        self._publish()

    def _open(self) -> Session:
        self.session = self.engine.session(self.plan, self.order.workspace, self.order.project)
        return self.session

    def _go_on(self, ready: Ready) -> None:
        """What was staged is not made again, what was judged is not judged again, and what was published and told of is left alone."""
        self.staged, self.names, self.cursors = dict(ready.staged), dict(ready.names), dict(ready.cursors)
        self.around.tell(PipelineResumedEvent(self.order.run_id, "audited" if ready.audited else "staged", self.order.attempt))
        if not ready.audited:
            session = self._open()
            try:
                for name, staged in ready.staged.items():
                    session.adopt(name, staged)
                self._audit(session)
            finally:
                session.close()
            self.around.keep(ready.with_audit())
            self.around.reached("audited")
        self._publish()

    def _ingest(self, session: Session) -> None:
        for source in self.plan.sources:
            begun = time.monotonic()
            what = f"reading {source.name}"
            self.around.busy(what, None)
            target = QuarantineTarget(
                self.order.quarantine / source.name / f"{self.order.run_id}.parquet",
                self.plan.definition.pipeline,
                self.order.run_id,
            )
            after = self.order.work.cursors.get(source.name)
            reading = partial(self._read, session, source, target, after, what)
            found = self.around.attempted(what, reading, self._system(source))
            check_source(found)
            self.ingested[source.name] = found
            if found.cursor:
                self.cursors[source.name] = found.cursor
            seconds = time.monotonic() - begun
            run_id, files = self.order.run_id, len(found.files)
            self.around.tell(
                DataIngestedEvent(run_id, source.name, source.origin, found.read, files, found.bytes, seconds),
                _validated(run_id, found, seconds),
            )
            if found.broken:
                raise _broken(found)

    def _system(self, source: PlannedSource) -> str | None:
        """What is reached to read a source; nothing when rows that were held back stand in its place."""
        plugin = self.plan.definition.sources[source.name].plugin
        return None if isinstance(source.scan, FileScan) else system_of(plugin)

    def _read(
        self, session: Session, source: PlannedSource, target: QuarantineTarget, after: str | None, what: str
    ) -> Ingested:
        return session.ingest(source, target, after=after, progress=lambda share: self.around.busy(what, share))

    def _stage(self, session: Session) -> None:
        for dataset in self.plan.staged:
            begun = time.monotonic()
            what = f"staging {dataset}"
            self.around.busy(what, None)
            folder = self.order.workspace / "staged" / dataset
            staging = partial(session.stage, dataset, folder, partial(self.around.busy, what))
            staged = self.staged[dataset] = self.around.attempted(what, staging)
            self.around.tell(
                DataStagedEvent(
                    self.order.run_id,
                    dataset,
                    staged.rows,
                    staged.bytes,
                    list(staged.places),
                    [[c.name, str(c.type)] for c in staged.schema],
                    time.monotonic() - begun,
                )
            )

    def _account(self, session: Session) -> None:
        known = {name: found.good for name, found in self.ingested.items()} | {n: s.rows for n, s in self.staged.items()}
        self.around.tell(
            *(
                DataProcessedEvent(self.order.run_id, r.step.name, r.step.kind, r.inputs, r.rows, r.filtered, r.added)
                for r in rows_of_steps(self.plan, known, session.filtered_by_key(), session.count)
            )
        )
        for name, found in self.ingested.items():
            if name in self.staged and self.staged[name].rows != found.good:
                raise Unbalanced(f"{name}: {found.good} good rows, but {self.staged[name].rows} were staged")

    def _audit(self, session: Session) -> None:
        if not self.plan.checks:
            return
        self.around.busy("auditing", None)
        history = check_history(self.around.records, self.plan.definition.pipeline)
        targets = Targets(self.plan, session, self.order.project, self.order.workspace / "targets", self._holds)
        judging = partial(audit, self.order.run_id, self.plan, session, targets.measure, history, self.now)
        outcomes = self.around.attempted("auditing", lambda: list(judging()))
        self.around.tell(*outcomes)
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
        handing = Handing(self.engine, self.order.project, self.order.workspace / "taken out")
        for sink in self.order.work.sinks:
            if sink.name in self.order.stored:
                continue  # An earlier attempt published it; a later run may have merged more into it since, which would be undone.
            begun = time.monotonic()
            self.around.busy(f"publishing {sink.name}", None)
            self.around.before_publishing(sink)
            self.around.reached(f"before publishing {sink.name}")
            staged = self.staged[sink.dataset]
            checkpoint = self._checkpoint(sink)
            publishing = partial(handing.publish, sink.publisher, staged, checkpoint)
            done = self.around.attempted(f"publishing {sink.name}", publishing, system_of(sink.publisher))
            self.around.reached(f"published {sink.name}")
            if not done.already and done.inserted + done.updated + done.unchanged != staged.rows:
                raise Unbalanced(
                    f"sink `{sink.name}`: {staged.rows} rows were staged, but {done.inserted} inserted + {done.updated} updated + "
                    f"{done.unchanged} unchanged"
                )
            indexes = 0 if done.already else len(getattr(sink.publisher, "indexes", ()))
            self.around.tell(
                DataStoredEvent(
                    self.order.run_id,
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
                ),
                *((DataIndexedEvent(self.order.run_id, sink.name, done.target, indexes),) if indexes else ()),
            )
            self.around.reached(f"told of {sink.name}")

    # What they need --------------------------------------------------------------------------------------------------

    def _checkpoint(self, sink: PlannedSink) -> Checkpoint:
        project = self.order.project
        read = {
            name: [replace(f, path=inside(f.path, project)) for f in files] for name, files in self.order.work.files.items()
        }
        cursors = {name: Position(cursor) for name, cursor in self.cursors.items()}
        return Checkpoint(
            self._name(sink), self.plan.definition.pipeline, self.order.run_id, self.now, read, cursors, self.around.fence
        )

    def _name(self, sink: PlannedSink) -> str:
        """What the publication to a sink stands for. Found once: whoever goes on with the run must not take newer files for those
        that were read."""
        if sink.name not in self.names:
            self.names[sink.name] = self._found_name(sink)
        return self.names[sink.name]

    def _found_name(self, sink: PlannedSink) -> str:
        inputs = {**(self.order.identity or {}), **self._states(sink)}
        for source in self.plan.sources:
            if source.cursor and not self.order.identity:
                inputs[source.name] = [self.order.work.cursors.get(source.name), self.cursors.get(source.name)]
        name = checkpoint_name(self.plan, sink, self.order.params, inputs, self.order.run_id)
        return name[:16] + self.order.run_id.replace("-", "")[-16:] if self.order.force else name

    def _states(self, sink: PlannedSink) -> dict[str, Any]:
        """What tells the states of the sources that are read from others. It is found out once, before the reading, which fails when
        the files have changed by then: what comes into them later must not pass for what was read."""
        content = getattr(sink.publisher, "mode", "replace") == "append"
        for source in () if self.order.identity else self.plan.sources:
            key = (source.name, content)
            if key not in self.states and not source.cursor:
                self.states[key] = identity(source, self.around.hash_file, self.order.project, content=content)
        return {name: state for (name, by_content), state in self.states.items() if by_content == content}


def _validated(run_id: str, found: Ingested, seconds: float) -> DataValidatedEvent:
    return DataValidatedEvent(
        run_id,
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
