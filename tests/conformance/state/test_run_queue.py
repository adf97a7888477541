"""The queue: who may carry out what, and what becomes of runs whose worker is lost, on every database."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from dataclasses import replace

import pytest
from tests.conformance.state.conftest import Opens

from headrace.application.orchestrator.queue import KeptDefinition, Lease, RunRequest, Worker
from headrace.application.queries.runs import RunView, fold
from headrace.bus.events import PipelineCompletedEvent, PipelineFailedEvent, PipelineStartedEvent
from headrace.bus.lifecycle import LeaseLostEvent
from headrace.bus.store import Origin
from headrace.errors import LeaseLost, NonRetryableError
from headrace.infrastructure.storage.database import Database
from headrace.infrastructure.storage.event_log import EventLog
from headrace.infrastructure.storage.processes import this_host, this_process
from headrace.infrastructure.storage.run_queue import DatabaseRunQueue

ME = Worker(this_process(), this_host())
KEPT = KeptDefinition("f1", "p", "/project", "p.yaml", "pipeline: p")


@pytest.fixture
def queue(database: Database) -> DatabaseRunQueue:
    return DatabaseRunQueue(database)


def asked(run_id: str, pipeline: str = "", **options: object) -> RunRequest:
    return RunRequest(run_id, pipeline or run_id, "/project", definition=replace(KEPT, pipeline=pipeline or run_id), **options)  # type: ignore[arg-type]


def seen(queue: DatabaseRunQueue, run_id: str) -> RunView:
    return fold(run_id, EventLog(queue.database).read(run_id))


def claimed(queue: DatabaseRunQueue, run_id: str | None = None, worker: Worker = ME) -> Lease:
    lease = queue.claim(worker, run_id)
    assert lease is not None
    return lease


def test_a_run_goes_from_asked_for_to_its_end(queue: DatabaseRunQueue) -> None:
    assert queue.submit(asked("r1", params={"day": "1"}, trigger="schedule")) == "r1"
    assert (seen(queue, "r1").state, seen(queue, "r1").trigger) == ("queued", "schedule")
    lease = claimed(queue)
    assert (lease.run_id, lease.attempt, lease.request.params) == ("r1", 1, {"day": "1"})
    assert lease.request.definition is not None
    assert lease.request.definition.text == "pipeline: p"
    assert seen(queue, "r1").state == "running"
    queue.append(lease, [PipelineStartedEvent("r1", pipeline="p")])
    queue.append(lease, [PipelineCompletedEvent("r1", pipeline="p")])
    assert seen(queue, "r1").state == "succeeded"
    assert queue.outstanding() == []
    with pytest.raises(LeaseLost):
        queue.append(lease, [PipelineFailedEvent("r1", "again")])
    assert seen(queue, "r1").state == "succeeded", "a run ends once"


def test_a_request_with_a_key_is_one_run_however_often_it_is_made(queue: DatabaseRunQueue) -> None:
    assert queue.submit(asked("r1", key="schedule:p:2024-01-01")) == "r1"
    assert queue.submit(asked("r2", key="schedule:p:2024-01-01")) == "r1"
    queue.append(claimed(queue), [PipelineCompletedEvent("r1")])
    assert queue.submit(asked("r3", key="schedule:p:2024-01-01")) == "r1"
    assert queue.claim(ME) is None


def test_many_workers_never_claim_the_same_run(opens: Opens) -> None:
    first = DatabaseRunQueue(opens())
    for i in range(40):
        first.submit(asked(f"r{i:02d}"))
    claims: list[str] = []

    def work(name: str) -> None:
        own = DatabaseRunQueue(opens())
        while (lease := own.claim(replace(ME, name=f"{ME.name}#{name}"))) is not None:
            claims.append(lease.run_id)
            own.append(lease, [PipelineCompletedEvent(lease.run_id)])

    threads = [threading.Thread(target=work, args=(str(i),)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(claims) == [f"r{i:02d}" for i in range(40)]


def test_runs_of_one_pipeline_wait_for_each_other_and_say_so(queue: DatabaseRunQueue) -> None:
    queue.submit(asked("r1", "p"))
    queue.submit(asked("r2", "p"))
    first = claimed(queue)
    assert queue.claim(ME) is None
    assert (seen(queue, "r2").state, seen(queue, "r2").reason) == ("waiting", "run r1 of `p` goes on")
    before = seen(queue, "r2").events
    assert queue.claim(ME) is None
    assert seen(queue, "r2").events == before, "a reason is told once"
    queue.append(first, [PipelineCompletedEvent("r1")])
    assert claimed(queue).run_id == "r2"


def test_slots_are_shared_by_all_workers(queue: DatabaseRunQueue) -> None:
    for i in (1, 2, 3):
        queue.submit(asked(f"r{i}", slots={"warehouse": 1}))
    worker = replace(ME, capacity={"warehouse": 2})
    leases = [claimed(queue, worker=worker) for _ in range(2)]
    assert queue.claim(worker) is None
    assert seen(queue, "r3").reason == "slot `warehouse` is taken: 2 of 2"
    queue.append(leases[0], [PipelineCompletedEvent(leases[0].run_id)])
    assert claimed(queue, worker=worker).run_id == "r3"
    queue.submit(asked("r4", slots={"warehouse": 5}))
    assert queue.claim(worker) is None
    assert seen(queue, "r4").reason == "slot `warehouse` has 2 units, and 5 are wanted"


def test_priority_comes_first_then_the_pipeline_that_was_served_longest_ago(queue: DatabaseRunQueue) -> None:
    for i in range(3):
        queue.submit(asked(f"a{i}", "a", concurrency=9))
    queue.submit(asked("b0", "b"))
    queue.submit(asked("u0", "u", priority=5))
    assert [claimed(queue).run_id for _ in range(5)] == ["u0", "a0", "b0", "a1", "a2"]


def test_a_blocked_pipeline_with_many_runs_hides_no_other(queue: DatabaseRunQueue) -> None:
    for i in range(12):
        queue.submit(asked(f"a{i:02d}", "a", priority=1))
    queue.submit(asked("b0", "b"))
    assert [claimed(queue).run_id, claimed(queue).run_id] == ["a00", "b0"]


def test_a_later_time_and_another_machine_are_waited_for(queue: DatabaseRunQueue) -> None:
    queue.submit(asked("r1", not_before=time.time() + 3600))
    queue.submit(asked("r2", host="elsewhere"))
    assert queue.claim(ME) is None


def test_cancelling_a_run_that_waits_ends_it_and_one_that_goes_on_is_told(queue: DatabaseRunQueue) -> None:
    queue.submit(asked("r1", "p"))
    queue.submit(asked("r2", "p"))
    lease = claimed(queue)
    assert queue.cancel("r2", "ada") == "cancelled"
    assert (seen(queue, "r2").state, queue.cancel("r2", "ada")) == ("cancelled", "")
    assert not queue.is_cancelling(lease)
    assert queue.cancel("r1", "ada") == "cancelling"
    assert queue.is_cancelling(lease)
    assert queue.renew(lease)
    assert seen(queue, "r1").state == "cancelling"


def test_a_lost_worker_can_do_nothing_more_and_another_goes_on(queue: DatabaseRunQueue) -> None:
    queue.submit(asked("r1"))
    old = claimed(queue, worker=replace(ME, lease_seconds=0.0))
    time.sleep(0.01)
    other = replace(ME, name="elsewhere/1/1")
    assert queue.reap(other, resume=True) == ["r1"]
    assert seen(queue, "r1").state == "waiting"
    new = claimed(queue, worker=other)
    assert (new.attempt, new.token > old.token, new.issuer == old.issuer) == (2, True, True)
    for attempt in (
        lambda: queue.renew(old),
        lambda: queue.append(old, [PipelineCompletedEvent("r1")]),
        lambda: queue.is_cancelling(old),
    ):
        with pytest.raises(LeaseLost):
            attempt()
    queue.append(new, [PipelineCompletedEvent("r1")])
    assert seen(queue, "r1").state == "succeeded"


def test_a_worker_whose_process_is_gone_is_known_at_once(queue: DatabaseRunQueue) -> None:
    code = "from headrace.infrastructure.storage.processes import this_process as p; import sys; sys.stdout.write(p())"
    dead = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    queue.submit(asked("r1"))
    claimed(queue, worker=replace(ME, name=dead, lease_seconds=3600))
    assert queue.reap(ME, resume=False) == ["r1"]
    run = seen(queue, "r1")
    assert (run.state, run.error and run.error["error"]) == ("failed", "ProcessDied")


def test_a_run_over_which_workers_are_lost_again_and_again_is_given_up(queue: DatabaseRunQueue) -> None:
    queue.submit(asked("r1"))
    worker = replace(ME, lease_seconds=0.0, attempts=3)
    for _ in range(3):
        claimed(queue, worker=worker)
        time.sleep(0.01)
        assert queue.reap(worker, resume=True) == ["r1"]
    assert seen(queue, "r1").state == "failed"
    lost = [e for e in EventLog(queue.database).read("r1") if e.type == LeaseLostEvent.written]
    assert len(lost) == 3


def test_only_lost_workers_count_against_a_run_and_only_since_it_was_asked_for_last(queue: DatabaseRunQueue) -> None:
    worker = replace(ME, lease_seconds=0.0, attempts=2)
    queue.submit(asked("r1"))
    for _ in range(3):
        queue.postpone(claimed(queue, worker=worker), "the circuit of postgres is open", 0.0)
    for _ in range(2):
        for state in ("waiting", "failed"):
            claimed(queue, worker=worker)
            time.sleep(0.01)
            queue.reap(worker, resume=True)
            assert seen(queue, "r1").state == state
        queue.reopen(asked("r1"), "resumed", "ada")


def test_what_was_asked_for_is_on_record_and_every_event_belongs_to_it(queue: DatabaseRunQueue) -> None:
    origin = Origin("ada", "backfill-1")
    queue.submit(asked("r1", options={"force": True}, slots={"w": 1}, concurrency=2, timeout_seconds=9.0, origin=origin))
    lease = claimed(queue)
    assert lease.request.options == {"force": True}
    queue.append(lease, [PipelineStartedEvent("r1", pipeline="r1")])
    queue.append(lease, [PipelineFailedEvent("r1", "no")])
    events = list(EventLog(queue.database).read("r1"))
    told = {name: events[0].data[name] for name in ("options", "slots", "concurrency", "timeout_seconds")}
    assert told == {"options": {"force": True}, "slots": {"w": 1}, "concurrency": 2, "timeout_seconds": 9.0}
    assert {event.origin.correlation_id for event in events} == {"backfill-1"}


def test_a_run_that_is_being_cancelled_when_its_worker_is_lost_is_cancelled(queue: DatabaseRunQueue) -> None:
    queue.submit(asked("r1"))
    claimed(queue, worker=replace(ME, lease_seconds=0.0))
    queue.cancel("r1", "ada")
    time.sleep(0.01)
    queue.reap(ME, resume=True)
    assert (seen(queue, "r1").state, queue.outstanding()) == ("cancelled", [])


def test_a_living_worker_is_not_reaped(queue: DatabaseRunQueue) -> None:
    queue.submit(asked("r1"))
    lease = claimed(queue)
    assert queue.reap(ME, resume=True) == []
    assert not queue.renew(lease)


def test_an_ended_run_is_reopened_by_hand_and_only_then(queue: DatabaseRunQueue) -> None:
    queue.submit(asked("r1"))
    with pytest.raises(NonRetryableError, match="has not ended"):
        queue.reopen(asked("r1"), "retried", "ada")
    queue.append(claimed(queue), [PipelineFailedEvent("r1", "no")])
    queue.reopen(asked("r1"), "retried", "ada")
    assert seen(queue, "r1").state == "queued"
    queue.append(claimed(queue), [PipelineCompletedEvent("r1")])
    assert seen(queue, "r1").state == "succeeded"


def test_giving_a_run_back_lets_it_wait_with_a_reason(queue: DatabaseRunQueue) -> None:
    queue.submit(asked("r1"))
    lease = claimed(queue)
    queue.postpone(lease, "the circuit of postgres is open", time.time() + 60)
    assert (seen(queue, "r1").state, seen(queue, "r1").reason) == ("waiting", "the circuit of postgres is open")
    assert queue.claim(ME) is None
    with pytest.raises(LeaseLost):
        queue.renew(lease)


class Counting(DatabaseRunQueue):
    """The same queue, which counts its writing transactions."""

    writes = 0

    def _write(self, decide: object) -> object:  # type: ignore[override]
        self.writes += 1
        return super()._write(decide)  # type: ignore[arg-type]


def test_who_waits_for_a_turn_only_reads_until_something_changes(database: Database) -> None:
    queue = Counting(database)
    for run_id in ("r1", "r2"):
        queue.submit(asked(run_id, "p"))
    first = claimed(queue, "r1")
    assert queue.has_ready(ME, "r2"), "it was not told yet why it waits"
    assert queue.claim(ME, "r2") is None
    before = queue.writes
    for _ in range(20):
        assert not queue.has_ready(ME, "r2")
        assert queue.reap(ME, resume=False) == []
    assert queue.writes == before
    queue.append(first, [PipelineCompletedEvent("r1", pipeline="p")])
    assert queue.has_ready(ME, "r2")
    assert not queue.has_ready(ME, "strange")
    assert queue.claim(ME, "r2") is not None
