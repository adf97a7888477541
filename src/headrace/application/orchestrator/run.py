"""Carries out one batch run: ingest and judge, transform, stage, audit, publish. It decides the order, and does none of it itself.

Every stage is told as an event; nothing is published before every blocking check has passed, and then each sink once. What is
staged is durable: a run that is gone on with begins behind it.
"""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from headrace.application.orchestrator.accounting import rows_of_steps
from headrace.application.orchestrator.audit import audit
from headrace.application.orchestrator.delivering import Delivering
from headrace.application.orchestrator.graph import describe
from headrace.application.orchestrator.handing import Handing
from headrace.application.orchestrator.ingesting import ingest
from headrace.application.orchestrator.naming import Names
from headrace.application.orchestrator.order import Order, Surroundings
from headrace.application.orchestrator.publishing import checkpoint_of, publish
from headrace.application.orchestrator.readiness import EVER, Ready
from headrace.application.orchestrator.targets import Targets
from headrace.application.queries.quality import check_history
from headrace.bus.events import DataProcessedEvent, DataStagedEvent, PipelineStartedEvent
from headrace.bus.lifecycle import PipelineResumedEvent
from headrace.business.engine import Engine, Ingested, KeepsTables, Session
from headrace.business.inside import StagedTable, places
from headrace.business.ports import Staged
from headrace.business.processing.plan import PlannedSink
from headrace.errors import AuditFailed, Unbalanced


class BatchRun:
    """One run. `execute` returns when all is published, and raises what kept it from that."""

    def __init__(self, order: Order, engine: Engine, around: Surroundings) -> None:
        self.order, self.engine, self.around = order, engine, around
        self.plan = order.plan
        self.now = datetime.now(UTC)
        self.names = Names(order, around)
        self.ingested: dict[str, Ingested] = {}
        self.staged: dict[str, Staged | StagedTable] = {}
        self.session: Session | None = None
        self.delivering = Delivering(order, around)

    def interrupt(self) -> None:
        """Stop the statement that the engine is at, from another thread."""
        if self.session is not None:
            self.session.interrupt()

    def execute(self, ready: Ready | None = None) -> bool:
        """Carry it out, from the start or behind what lies ready. Whether there was anything to do."""
        try:
            if ready is not None:
                self._go_on(ready)
                return True
            self._tell_start()
            if self._nothing_to_do():
                return False
            self._carry_out()
            return True
        finally:
            self.delivering.close()

    def clear_away(self) -> None:
        """Drop what lies staged in a database, when all of it is published and told of."""
        if isinstance(self.engine, KeepsTables):
            self.engine.discard(staged for staged in self.staged.values() if isinstance(staged, StagedTable))

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
        if self.order.work.cursors or any(s.resumes for s in self.plan.sources):
            return False
        return all(self._holds(sink) for sink in self.order.work.sinks)

    def _holds(self, sink: PlannedSink) -> bool:
        name = self.names.of(sink)
        return any(c.name == name for c in sink.publisher.ledger(self.order.project))

    def _carry_out(self) -> None:
        for sink in self.order.work.sinks:
            self.names.states(sink)
        session = self._open()
        try:
            self.ingested = ingest(self.order, self.around, session)
            if not self.order.identity:  # rows that stand in the place of a source say nothing of how far it was read
                self.names.cursors |= {name: found.cursor for name, found in self.ingested.items() if found.cursor}
            if self.order.keeping and any(found.quarantine for found in self.ingested.values()):
                self.order.keeping.demand_room()
            self.around.reached("ingested")
            self.around.busy("transforming", None)
            self.around.attempted(
                "transforming", lambda: session.prepare(lambda share: self.around.busy("transforming", share))
            )
            checkpoint = partial(checkpoint_of, self.order, self.around, self.names, now=self.now)
            self.delivering.begin(session, self.ingested.values(), checkpoint)
            self._stage(session)
            self._account(session)
            names = {sink.name: self.names.of(sink) for sink in self.order.work.sinks}
            ready = Ready(self.order.work, self.staged, names, self.names.cursors, since=self.order.since or EVER)
            self.around.keep(ready)
            self.around.reached("staged")
            self._audit(session)
            self.around.keep(ready.with_audit())
            self.around.reached("audited")
        finally:
            session.close()
        self._publish()

    def _open(self) -> Session:
        opening = partial(self.engine.session, self.plan, self.order.workspace, self.order.project)
        session = self.session = self.around.attempted("opening the engine", opening)
        return session

    def _go_on(self, ready: Ready) -> None:
        """What was staged is not made again, what was judged is not judged again, and what was published and told of is left alone."""
        self.staged = dict(ready.staged)
        self.names.adopt(ready)
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

    def _stage(self, session: Session) -> None:
        for dataset in self.plan.staged:
            begun = time.monotonic()
            what = f"staging {dataset}"
            self.around.busy(what, None)
            folder = self.order.workspace / "staged" / dataset
            staging = partial(self.delivering.stage, session, dataset, folder, partial(self.around.busy, what))
            staged = self.staged[dataset] = self.around.attempted(what, staging)
            self.around.tell(
                DataStagedEvent(
                    self.order.run_id,
                    dataset,
                    staged.rows,
                    staged.bytes,
                    list(places(staged)),
                    [[c.name, str(c.type)] for c in staged.schema],
                    time.monotonic() - begun,
                )
            )

    def _account(self, session: Session) -> None:
        known = {name: found.good for name, found in self.ingested.items()} | {n: s.rows for n, s in self.staged.items()}
        counted = self.around.attempted(
            "accounting", lambda: rows_of_steps(self.plan, known, session.filtered_by_key(), session.count)
        )
        self.around.tell(
            *(
                DataProcessedEvent(self.order.run_id, r.step.name, r.step.kind, r.inputs, r.rows, r.filtered, r.added)
                for r in counted
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
        targets = Targets(self.plan, session, self.staged, self.order.project, self.order.workspace / "targets", self._holds)
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
        for dataset, staged in self.staged.items():
            self.around.attempted(f"verifying {dataset}", partial(self.engine.verify, staged))
        handing = Handing(self.engine, self.order.project, self.order.workspace / "taken out", self.delivering.publish)
        publish(self.order, self.around, self.staged, self.names, self.now, handing)
