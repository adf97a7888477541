"""Carries a claimed run to its end: what is left to do, the work itself under the lease, and the event that says how it ended."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from headrace.application.orchestrator import failpoints
from headrace.application.orchestrator.breakers import RECOVERY, Postponed, guarded, system_of
from headrace.application.orchestrator.increments import Work, narrowed, outstanding
from headrace.application.orchestrator.interruptions import Interruptions
from headrace.application.orchestrator.lease import LOOK_EVERY, LeaseKeeper
from headrace.application.orchestrator.order import Order
from headrace.application.orchestrator.patience import policy_of
from headrace.application.orchestrator.queue import Lease
from headrace.application.orchestrator.readiness import EVER, Ready, from_note
from headrace.application.orchestrator.reopening import overtaken_by
from headrace.application.orchestrator.run import BatchRun
from headrace.application.orchestrator.settling import settle_runs
from headrace.application.orchestrator.site import Endless, Site, new_run_id
from headrace.application.orchestrator.sources import Attempted
from headrace.application.queries.runs import RunView, fold
from headrace.bus.events import DataStoredEvent, Event, PipelineCancelledEvent, PipelineCompletedEvent, PipelineFailedEvent
from headrace.bus.lifecycle import PipelineOvertakenEvent, PipelineReopenedEvent, PipelineRetriedEvent
from headrace.business.engine import Engine, KeepsTables
from headrace.business.inside import StagedTable
from headrace.business.model.definition import Definition
from headrace.business.ports import Fence, Fenced
from headrace.business.processing.plan import Plan, PlannedSink, Resolved
from headrace.business.streams.beginning import Anew
from headrace.errors import (
    CircuitBreakerOpenError,
    HeadraceError,
    LeaseLost,
    NonRetryableError,
    RetryableError,
    RunError,
    StagingLost,
    TimedOut,
    told_at,
)
from headrace.records import record
from headrace.resilience.backoff import RetryPolicy
from headrace.resilience.retry import retrying

T = TypeVar("T")


@record
class Prepared:
    """A definition with its plan, ready to run."""

    definition: Definition
    file: Path | None
    resolved: Mapping[str, Resolved]
    plan: Plan


@record
class Assignment:
    """How a run is to be carried out. Without `work`, what is outstanding is found by asking the targets."""

    params: Mapping[str, Any]
    force: bool = False
    work: Work | None = None
    identity: Mapping[str, Any] | None = None
    start: Anew | None = None
    """Where a stream is to begin anew, instead of going on."""
    before: tuple[Event, ...] = ()
    """What has to be on record before anything is done."""


#: What is to be done, found under the lease by whatever has to be attempted for that.
Prepare = Callable[[Attempted], tuple[Prepared, Assignment]]


@record
class Carried:
    """What became of a run, and whether another has to follow because some sinks were behind others."""

    run: RunView
    more: bool


def carry_out(site: Site, lease: Lease, prepare: Prepare, interruptions: Interruptions) -> Carried:
    """One run, from its claim to its end, or until it is given back to wait. Raises what ended it; the log has it either way, but
    when the lease was lost. `prepare` is called under the lease: looking at sources may take longer than that lasts."""
    carrier = _Carrier(site, lease, prepare, interruptions)
    with carrier.keeper:
        more = carrier.carry_out()
    return Carried(fold(lease.run_id, site.bus.store.read(lease.run_id)), more)


class _Carrier:
    """A run under its lease: what `BatchRun` needs of the world around it."""

    prepared: Prepared
    assignment: Assignment

    def __init__(self, site: Site, lease: Lease, prepare: Prepare, interruptions: Interruptions) -> None:
        self.site, self.lease, self.prepare, self.interruptions = site, lease, prepare, interruptions
        self.records, self.hash_file, self.busy = site.records, site.hash_file, site.busy
        self.fence = Fence(_issuer(lease), lease.token)
        self.batch: BatchRun | None = None
        self.stream: Endless | None = None
        self._paused_at = float("-inf")
        self._paused = False
        self.lost_once = False
        self.keeper = LeaseKeeper(site.queue, lease, self._way_to_interrupt())
        self.pipeline = lease.request.pipeline
        self.begun = time.monotonic()

    def carry_out(self) -> bool:
        run_id = self.lease.run_id
        try:
            self.interruptions.let_go()
            self.reached("claimed")
            self.prepared, self.assignment = self.prepare(self._attempted)
            more, done = self._work_until_it_stays()
            self.reached("before completed")
            if more and self.site.postpones:
                self._ask_for_the_rest()
            self._close()
            self.tell(PipelineCompletedEvent(run_id, pipeline=self.pipeline, seconds=self._seconds(), unchanged=not done))
        except LeaseLost:
            raise
        except Postponed:
            return False
        except KeyboardInterrupt:
            self._interrupted()
            raise
        except Exception as error:
            if self.keeper.stopped or self.interruptions.asked:  # What breaks when it is stopped is no failure of the run.
                self._interrupted()
                raise KeyboardInterrupt from error
            told = error if isinstance(error, HeadraceError) else NonRetryableError(str(error))
            self._failed(error, told.message, told.hint)
            raise
        self._clear_away()
        return more

    def _clear_away(self) -> None:
        """What is left of a run that ended well. It is told of already, so what cannot be removed now is left to the next sweep."""
        self.site.workspaces.close(self.lease.run_id)
        with suppress(RunError):
            if self.batch is not None:
                self.batch.clear_away()

    def _work_until_it_stays(self) -> tuple[bool, bool]:
        """As `_work`, and from the start again when what it has staged is lost, as often as the definition lets it."""
        policy, lost = self.prepared.definition.retry.policy, lambda error: isinstance(error, StagingLost)
        return retrying(policy, self._work, wait=self.keeper.wait, told=self._begin_anew, passes=lost)

    def _begin_anew(self, attempt: int, delay: float, error: RetryableError) -> None:
        self._told_of_retry("the run", attempt, delay, error)
        self.site.workspaces.close(self.lease.run_id)
        self.lost_once = True

    def _work(self) -> tuple[bool, bool]:
        """Whether more has to follow, and whether there was anything to do."""
        prepared, workspaces = self.prepared, self.site.workspaces
        if self.site.keeping:
            self.site.keeping.expire(datetime.now(UTC))
        anew = self.lease.attempt > 1 or self._reopened is not None or self.lost_once
        if anew:
            self._fence_off()
            self._forget_what_was_overtaken()
        engine = self.site.engine(prepared.definition.engine)
        if prepared.plan.endless:
            return False, self._flow(engine)
        ready = self._lying_ready(engine)
        if ready is None:
            work = self.assignment.work or self._outstanding()
            prepared = _reading_only(prepared, work)
            if anew:
                workspaces.close(self.lease.run_id)
        else:
            work = ready.work
        workspaces.tidy({o.run_id for o in self.site.queue.outstanding()} | {self.lease.run_id}, self.pipeline)
        if isinstance(engine, KeepsTables):
            with suppress(RunError):  # Whether the database can be reached, the run will find out.
                engine.sweep()
        order = Order(
            run_id=self.lease.run_id,
            plan=prepared.plan,
            project=self.site.project,
            workspace=workspaces.open(self.lease.run_id),
            quarantine=self.site.quarantine(self.pipeline),
            work=work,
            params=self.assignment.params,
            definition=str(prepared.file) if prepared.file else None,
            trigger=self.lease.request.trigger,
            attempt=self.lease.attempt,
            force=self.assignment.force,
            identity=self.assignment.identity,
            keeping=self.site.keeping,
            stored=self._stored() if ready is not None else frozenset(),
            since=(ready.since if ready is not None else self._begun_at()) if anew else None,
        )
        if self.assignment.before and not self.lost_once:
            self.tell(*self.assignment.before)
        self.batch = BatchRun(order, engine, self)
        return work.more, self.batch.execute(ready)

    def _flow(self, engine: Engine) -> bool:
        """Carry out a stream until it is told to stop. From here on Ctrl-C asks for that, and raises nothing."""
        plan = self.prepared.plan
        order = Order(
            run_id=self.lease.run_id,
            plan=plan,
            project=self.site.project,
            workspace=self.site.workspaces.open(self.lease.run_id),
            quarantine=self.site.quarantine(self.pipeline),
            work=Work({}, {}, plan.sinks),
            params=self.assignment.params,
            definition=str(self.prepared.file) if self.prepared.file else None,
            trigger=self.lease.request.trigger,
            attempt=self.lease.attempt,
            start=self.assignment.start,
        )
        self.stream = self.site.stream(order, engine, self)
        self.interruptions.hold()
        done = self.stream.execute()
        self.interruptions.heeded()
        if self.interruptions.leaving and not self.interruptions.asked and not self.keeper.stopped:
            self._hand_over("its worker was stopped")
        return done

    def _lying_ready(self, engine: Engine) -> Ready | None:
        """What an earlier attempt has staged, if all of it is still there."""
        ready = from_note(self.site.workspaces.noted(self.lease.run_id), self.prepared.plan)
        tables = [staged for staged in ready.staged.values() if isinstance(staged, StagedTable)] if ready else []
        try:
            for table in tables:
                engine.verify(table)
        except RetryableError:
            return None
        return ready

    def _ask_for_the_rest(self) -> None:
        """Before this run is known to have ended, so that a death in between loses nothing; and once, whoever asks again."""
        request = replace(self.lease.request, run_id=new_run_id(), key=f"behind:{self.lease.run_id}", options={})
        self.site.queue.submit(request)

    @property
    def _reopened(self) -> str | None:
        """How the run was put back, if it had ended before."""
        how: str | None = self.lease.request.options.get("reopened")
        return how

    def _forget_what_was_overtaken(self) -> None:
        """What is staged is not gone on with by a run that is to begin from the start, nor where another came between: that one may
        have published the same rows, or newer ones. Runs that go on beside each other have rows of their own."""
        run_id, workspaces = self.lease.run_id, self.site.workspaces
        if workspaces.noted(run_id) is None:
            return
        put_back, alone = self.lease.attempt == 1 and self._reopened, self.lease.request.concurrency == 1
        if put_back == "retried":
            workspaces.close(run_id)
        elif (put_back or alone) and (other := overtaken_by(self.records, run_id, self.pipeline)) is not None:
            self.tell(PipelineOvertakenEvent(run_id, other))
            workspaces.close(run_id)

    def _begun_at(self) -> datetime:
        """When the run was begun from the start, as far as anybody asked for that."""
        put_back = self.records.read(self.lease.run_id, types=(PipelineReopenedEvent.written,))
        return max((event.at for event in put_back), default=EVER)

    def _stored(self) -> frozenset[str]:
        """The sinks of which is on record that the run has published to them."""
        stored = self.site.bus.store.read(self.lease.run_id, types=(DataStoredEvent.written,))
        return frozenset(str(event.data["sink"]) for event in stored)

    def _outstanding(self) -> Work:
        project = self.site.project
        ledgers = {s.name: self._at(s, "asking", partial(s.publisher.ledger, project)) for s in self.prepared.plan.sinks}
        mine = {name: [c for c in found if c.pipeline == self.pipeline] for name, found in ledgers.items()}
        settle_runs(self.site.bus, self.pipeline, mine)
        return outstanding(self.prepared.plan, mine, self.site.hash_file, project)

    def _fence_off(self) -> None:
        """Keep whoever held the run before from publishing, should it only have slept."""
        for sink in self.prepared.plan.sinks:
            if isinstance(sink.publisher, Fenced):
                fence = partial(sink.publisher.fence, self.site.project, self.pipeline, self.fence)
                self._at(sink, "fencing", fence)

    def _at(self, sink: PlannedSink, doing: str, operation: Callable[[], T]) -> T:
        with told_at(self.prepared.definition.place_of_sink(sink.name)):
            return self.attempted(f"{doing} {sink.name}", operation, system_of(sink.publisher))

    # How it ends -----------------------------------------------------------------------------------------------------

    def _way_to_interrupt(self) -> Callable[[], None]:
        """In the main thread as Ctrl-C would; elsewhere the engine's statement is stopped, and the next event is not told."""
        if self.interruptions.heard_here:
            return self.interruptions.demand
        return self._interrupt

    def _interrupt(self) -> None:
        work = self.batch or self.stream
        if work is not None:
            work.interrupt()

    def _interrupted(self) -> None:
        """By hand, by somebody's wish, by its timeout; or because it is no longer ours, of which nothing may be said."""
        self._close()
        run_id, stopped = self.lease.run_id, self.keeper.stopped
        if stopped == "lost":
            raise LeaseLost(
                f"run {run_id} is no longer ours: its lease was lost", hint="another worker goes on with it, or it has ended"
            )
        if stopped == "timed out":
            error = TimedOut(
                f"the run took longer than {self.lease.request.timeout_seconds:g} seconds",
                hint="nothing half-done is visible anywhere; give it more time with `timeout`",
            )
            self._failed(error, error.message, error.hint)
            raise error
        why = "" if stopped == "cancelled" else "interrupted"
        self._tell(PipelineCancelledEvent(run_id, pipeline=self.pipeline, seconds=self._seconds(), why=why))
        self._leave()

    def _failed(self, error: Exception, message: str, hint: str | None) -> None:
        self._close()
        kind, seconds = type(error).__name__, self._seconds()
        self._tell(
            PipelineFailedEvent(self.lease.run_id, message, pipeline=self.pipeline, error=kind, hint=hint, seconds=seconds)
        )
        self._leave()

    def _close(self) -> None:
        """From here on nothing comes between the run and the record of its end."""
        self.interruptions.hold()
        self.keeper.close()

    def _leave(self) -> None:
        """Leave what the run can be gone on with, and nothing else."""
        if self.site.workspaces.noted(self.lease.run_id) is None:
            self.site.workspaces.close(self.lease.run_id)

    # What a run needs ------------------------------------------------------------------------------------------------

    def tell(self, *events: Event) -> None:
        self._look()
        if events:
            self._tell(*events)

    def _look(self) -> None:
        if self.stream is not None:
            self.stopping()
            return
        self.interruptions.look()
        self.keeper.look()

    def _tell(self, *events: Event) -> None:
        self.site.queue.append(self.lease, events)
        self.reached(events[-1].written.partition("/")[0])

    def stopping(self) -> bool:
        if self.keeper.stopped == "lost":
            raise KeyboardInterrupt
        return self.interruptions.asked or self.interruptions.leaving or bool(self.keeper.stopped)

    def paused(self) -> bool:
        if time.monotonic() - self._paused_at > LOOK_EVERY:
            self._paused, self._paused_at = self.pipeline in self.site.pauses.paused(), time.monotonic()
        return self._paused

    def progressed(self, progress: Any) -> None:
        self.site.watch(progress)

    def keep(self, ready: Ready) -> None:
        self.site.workspaces.note(self.lease.run_id, ready.to_note(self.prepared.plan))

    def before_publishing(self, sink: PlannedSink) -> None:  # noqa: ARG002 - each sink is asked for, whichever it is
        self._look()
        self.keeper.check()

    def attempted(self, step: str, operation: Callable[[], T], system: str | None = None) -> T:
        policy = policy_of(self.prepared.definition, endless=self.prepared.plan.endless)
        return self._attempted(step, operation, system, policy)

    def _attempted(self, step: str, operation: Callable[[], T], system: str | None, policy: RetryPolicy) -> T:
        if system is not None:
            operation = partial(guarded, self.site.breakers, system, operation, partial(self._hold_off, step))
        told = partial(self._told_of_retry, step)
        return retrying(policy, operation, wait=self._wait, told=told, passes=_passes)

    def _wait(self, seconds: float) -> None:
        """Until the next attempt. A stream that is to stop does not wait for what may never come back: it ends as it is."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if self.stream is not None and self.interruptions.asked:
                raise KeyboardInterrupt
            self.keeper.wait(min(left, LOOK_EVERY))

    def _told_of_retry(self, step: str, attempt: int, delay: float, error: RetryableError) -> None:
        kind = type(error).__name__
        self.tell(PipelineRetriedEvent(self.lease.run_id, step, attempt, round(delay, 3), kind, error.message))

    def _hold_off(self, step: str, refused: CircuitBreakerOpenError) -> None:
        """A remote system is left alone: give the run back, or wait for a while."""
        seconds = min(refused.retry_after or 0.0, RECOVERY)
        if self.site.postpones:
            self._hand_over(refused.message, time.time() + seconds)
        kind = type(refused).__name__
        self.tell(PipelineRetriedEvent(self.lease.run_id, step, 0, round(seconds, 3), kind, refused.message))
        self.busy(f"waiting: {refused.message}", None)
        self.keeper.wait(max(seconds, 1.0))

    def _hand_over(self, why: str, not_before: float = 0.0) -> NoReturn:
        """Give the run back, for another worker or a later time."""
        self._close()
        self.site.queue.postpone(self.lease, why, not_before)
        raise Postponed

    def reached(self, point: str) -> None:
        failpoints.reached(point)

    def _seconds(self) -> float:
        return round(time.monotonic() - self.begun, 6)


def _passes(error: RetryableError) -> bool:
    """Whether the same step may succeed later; without what it works on it will not."""
    return not isinstance(error, StagingLost)


def _issuer(lease: Lease) -> str:
    """Who counts the tokens: the state database; or the run for itself, where runs of one pipeline may go on beside each other and
    must not keep one another out."""
    return lease.issuer if lease.request.concurrency == 1 else f"{lease.issuer}/{lease.run_id}"


def _reading_only(prepared: Prepared, work: Work) -> Prepared:
    """The same plan, reading only the files that are outstanding."""
    sources = tuple(
        replace(s, scan=narrowed(prepared.resolved[s.name], work.files[s.name]).scan) if s.name in work.files else s
        for s in prepared.plan.sources
    )
    return replace(prepared, plan=replace(prepared.plan, sources=sources))
