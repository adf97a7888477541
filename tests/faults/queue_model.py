"""The queue beside a plain model of it: whatever is done in whichever order, both agree. Not in which order runs are chosen."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from headrace.application.orchestrator.queue import KeptDefinition, Lease, RunRequest, Worker
from headrace.application.queries.runs import fold
from headrace.bus.events import DataStagedEvent, PipelineCompletedEvent, PipelineFailedEvent
from headrace.errors import LeaseLost, NonRetryableError
from headrace.infrastructure.storage.database import Database
from headrace.infrastructure.storage.event_log import EventLog
from headrace.infrastructure.storage.run_queue import DatabaseRunQueue
from headrace.infrastructure.storage.sqlite_database import SqliteDatabase

PIPELINES = ("a", "b")
WORKERS = [Worker(f"elsewhere/{i}/{i}", "elsewhere", lease_seconds=3600.0, attempts=3) for i in range(3)]
KEPT = KeptDefinition("f", "a", "/project", None, "pipeline: a")
OPEN = ("queued", "waiting")
HELD = ("running", "cancelling")


@dataclass
class Run:
    """What the model knows of one run."""

    pipeline: str
    state: str = "queued"
    attempt: int = 0
    lost: int = 0
    token: int = 0
    expired: bool = False
    key: str | None = None


class QueueModel(RuleBasedStateMachine):
    """Runs by id, the leases that were ever given, and the pipelines that are paused."""

    opened: ClassVar[Callable[[], Database] | None] = None

    def __init__(self) -> None:
        super().__init__()
        self.runs: dict[str, Run] = {}
        self.leases: list[Lease] = []
        self.paused: set[str] = set()
        self.highest = 0
        self.folder: tempfile.TemporaryDirectory[str] | None = None

    @initialize()
    def begin(self) -> None:
        if type(self).opened is not None:
            self.database = type(self).opened()
        else:
            self.folder = tempfile.TemporaryDirectory()
            self.database = SqliteDatabase(Path(self.folder.name) / "headrace.db")
        self.queue, self.log = DatabaseRunQueue(self.database), EventLog(self.database)

    def teardown(self) -> None:
        assert self.log.verify().fault is None
        for run_id, run in self.runs.items():
            assert fold(run_id, self.log.read(run_id)).state == run.state
        self.database.close()
        if self.folder is not None:
            self.folder.cleanup()

    # Asking ----------------------------------------------------------------------------------------------------------

    @rule(pipeline=st.sampled_from(PIPELINES), key=st.sampled_from([None, None, "k1", "k2"]))
    def create(self, pipeline: str, key: str | None) -> None:
        run_id = f"r{len(self.runs):03}"
        first = next((known for known, run in self.runs.items() if key and run.key == key), run_id)
        assert self.queue.submit(self._request(run_id, pipeline, key)) == first
        if first == run_id:
            self.runs[run_id] = Run(pipeline, key=key)

    @precondition(lambda self: self.runs)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        run_id = data.draw(st.sampled_from(sorted(self.runs)))
        run = self.runs[run_id]
        following = {"queued": "cancelled", "waiting": "cancelled", "running": "cancelling", "cancelling": "cancelling"}
        assert self.queue.cancel(run_id, "ada") == following.get(run.state, "")
        run.state = following.get(run.state, run.state)

    @precondition(lambda self: self.runs)
    @rule(data=st.data(), how=st.sampled_from(["resumed", "retried"]))
    def reopen(self, data: st.DataObject, how: str) -> None:
        run_id = data.draw(st.sampled_from(sorted(self.runs)))
        run = self.runs[run_id]
        request = self._request(run_id, run.pipeline, None)
        if run.state in ("failed", "cancelled"):
            self.queue.reopen(request, how, "ada")
            run.state, run.attempt, run.lost, run.token = "queued", 0, 0, 0
        else:
            with pytest.raises(NonRetryableError):
                self.queue.reopen(request, how, "ada")

    @rule(pipeline=st.sampled_from(PIPELINES))
    def pause_or_go_on(self, pipeline: str) -> None:
        values = {"pipeline": pipeline}
        if pipeline in self.paused:
            self.database.write(lambda db: db.run("delete from paused where pipeline = :pipeline", values))
        else:
            values |= {"at": "2024-01-01", "by_": "ada"}
            self.database.write(
                lambda db: db.run("insert into paused (pipeline, at, by_) values (:pipeline, :at, :by_)", values)
            )
        self.paused ^= {pipeline}

    # Carrying out ----------------------------------------------------------------------------------------------------

    @rule(worker=st.sampled_from(WORKERS))
    def claim(self, worker: Worker) -> None:
        ready = self._ready()
        lease = self.queue.claim(worker)
        assert (lease is None) == (not ready)
        if lease is not None:
            self._claimed(lease, ready)
        self._hear_who_waits()

    def _claimed(self, lease: Lease, ready: set[str]) -> None:
        assert lease.run_id in ready
        run = self.runs[lease.run_id]
        assert lease.token > self.highest
        assert lease.attempt == run.attempt + 1
        run.state, run.attempt, run.token, run.expired = "running", lease.attempt, lease.token, False
        self.highest = lease.token
        self.leases.append(lease)

    def _hear_who_waits(self) -> None:
        """Runs that were passed over are told why: which of them is the queue's choice (of many of one pipeline, it looks at the
        first few), that they could not go on is not."""
        states = {run.run_id: run.state for run in self.queue.outstanding()}
        for run_id, run in self.runs.items():
            if run.state == "queued" and states.get(run_id) == "waiting":
                assert run_id not in self._ready()
                run.state = "waiting"

    @precondition(lambda self: self.leases)
    @rule(data=st.data())
    def heartbeat(self, data: st.DataObject) -> None:
        lease, run, held = self._some_lease(data)
        if held:
            assert self.queue.renew(lease) == self.queue.is_cancelling(lease) == (run.state == "cancelling")
            run.expired = False
        else:
            for deed in (self.queue.renew, self.queue.is_cancelling):
                with pytest.raises(LeaseLost):
                    deed(lease)

    @precondition(lambda self: self.leases)
    @rule(data=st.data(), how=st.sampled_from(["staged", "succeeded", "failed"]))
    def tell(self, data: st.DataObject, how: str) -> None:
        lease, run, held = self._some_lease(data)
        events = {
            "staged": DataStagedEvent(lease.run_id, "rows", 1, 1, [], [], 0.0),
            "succeeded": PipelineCompletedEvent(lease.run_id),
            "failed": PipelineFailedEvent(lease.run_id, "no"),
        }
        if not held:
            with pytest.raises(LeaseLost):
                self.queue.append(lease, [events[how]])
            return
        self.queue.append(lease, [events[how]])
        run.expired = False
        if how != "staged":
            run.state = how

    @precondition(lambda self: self.leases)
    @rule(data=st.data())
    def give_back(self, data: st.DataObject) -> None:
        lease, run, held = self._some_lease(data)
        if not held:
            with pytest.raises(LeaseLost):
                self.queue.postpone(lease, "later", 0.0)
        elif run.state == "running":
            self.queue.postpone(lease, "later", 0.0)
            run.state = "waiting"

    # Losing them -----------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.leases)
    @rule(data=st.data())
    def expire(self, data: st.DataObject) -> None:
        lease, run, held = self._some_lease(data)
        if held:
            values = {"run_id": lease.run_id}
            self.database.write(lambda db: db.run("update queue set lease_until = 0 where run_id = :run_id", values))
            run.expired = True

    @rule(worker=st.sampled_from(WORKERS), resume=st.booleans())
    def reap(self, worker: Worker, resume: bool) -> None:
        lost = {run_id for run_id, run in self.runs.items() if run.state in HELD and run.expired}
        assert set(self.queue.reap(worker, resume=resume)) == lost
        for run_id in lost:
            self._taken(self.runs[run_id], resume)

    @precondition(lambda self: self.leases)
    @rule(data=st.data())
    def crash(self, data: st.DataObject) -> None:
        lease, run, held = self._some_lease(data)
        assert self.queue.abandon(lease, WORKERS[0], "killed by SIGKILL") == held
        if held:
            self._taken(run, resume=True)

    def _taken(self, run: Run, resume: bool) -> None:
        run.lost += 1
        again = resume and run.lost < WORKERS[0].attempts
        run.state = "cancelled" if run.state == "cancelling" else "waiting" if again else "failed"

    # Both agree ------------------------------------------------------------------------------------------------------

    @invariant()
    def states_agree(self) -> None:
        with suppress(AttributeError):
            queue = self.queue
            found = {run.run_id: run.state for run in queue.outstanding()}
            assert found == {run_id: run.state for run_id, run in self.runs.items() if run.state in OPEN + HELD}

    def _ready(self) -> set[str]:
        busy = {run.pipeline for run in self.runs.values() if run.state in HELD}
        return {
            run_id
            for run_id, run in self.runs.items()
            if run.state in OPEN and run.pipeline not in busy and run.pipeline not in self.paused
        }

    def _some_lease(self, data: st.DataObject) -> tuple[Lease, Run, bool]:
        lease = data.draw(st.sampled_from(self.leases))
        run = self.runs[lease.run_id]
        return lease, run, run.state in HELD and run.token == lease.token

    def _request(self, run_id: str, pipeline: str, key: str | None) -> RunRequest:
        return RunRequest(run_id, pipeline, "/project", definition=KEPT, key=key)
