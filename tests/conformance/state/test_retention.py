"""Retention on every database: what is removed is old, ended and read by all; what is left is verified, and says the same as before."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.conformance.state import first_release
from tests.conformance.state.test_read_side import FACTS, PIPELINES, SOME, append, fresh, state_hash

from headrace.application.orchestrator.queue import RunRequest, Worker, keep
from headrace.application.queries.quality import check_history
from headrace.application.queries.runs import RunView, all_runs, find_run, fold
from headrace.bus.events import PipelineCompletedEvent, PipelineStartedEvent
from headrace.bus.lifecycle import PipelineQueuedEvent, PipelineReopenedEvent
from headrace.bus.store import Envelope
from headrace.bus.subscriptions import Subscription
from headrace.infrastructure.storage import leftovers, retention
from headrace.infrastructure.storage.database import Database
from headrace.infrastructure.storage.delivering import Delivery
from headrace.infrastructure.storage.event_log import EventLog
from headrace.infrastructure.storage.read_side import READ_SIDE
from headrace.infrastructure.storage.retention import forgotten, prune
from headrace.infrastructure.storage.run_queue import DatabaseRunQueue
from headrace.infrastructure.storage.service_records import DatabaseServiceRecords
from headrace.infrastructure.storage.sqlite_database import SqliteDatabase
from headrace.infrastructure.storage.subscription_store import SubscriptionStore

LONG = st.lists(st.lists(FACTS, min_size=1, max_size=6), min_size=4, max_size=12)
LATER = timedelta(days=91)
QUEUED, COMPLETES = 0, 14


@pytest.fixture
def log(database: Database) -> EventLog:
    return EventLog(database)


def ended(log: EventLog, *runs: str) -> None:
    for run in runs:
        log.append(run, [PipelineStartedEvent(run, pipeline="p"), PipelineCompletedEvent(run, pipeline="p")])


def positions(log: EventLog) -> list[int]:
    return [e.position for e in log.read()]


def by_stream(events: Sequence[Envelope]) -> list[RunView]:
    streams = dict.fromkeys(e.stream for e in events)
    runs = [fold(s, (e for e in events if e.stream == s)) for s in streams]
    return [run for run in reversed(runs) if run.pipeline]


def test_what_is_old_goes_and_the_rest_can_be_verified(log: EventLog) -> None:
    ended(log, "a", "b")
    done = prune(log.database, 90, datetime.now(UTC) + LATER)
    assert (done.events, done.position, positions(log)) == (4, 4, [])
    assert log.verify().fault is None
    ended(log, "c")
    assert positions(log) == [5, 6]
    assert (log.verify().events, log.verify().fault) == (2, None)
    assert [run.id for run in all_runs(log)] == ["c", "b", "a"]
    assert find_run(log, "a").state == "succeeded"


def test_what_is_young_stays(log: EventLog) -> None:
    ended(log, "a")
    done = prune(log.database, 90, datetime.now(UTC) + timedelta(days=89))
    assert (done.events, done.kept_by) == (0, "run a goes on, or ended lately")
    assert positions(log) == [1, 2]


def test_a_run_that_goes_on_keeps_all_behind_its_beginning(log: EventLog) -> None:
    ended(log, "a")
    log.append("open", [PipelineStartedEvent("open", pipeline="p")])
    ended(log, "b")
    done = prune(log.database, 90, datetime.now(UTC) + LATER)
    assert (done.events, done.kept_by) == (2, "run open goes on, or ended lately")
    assert positions(log) == [3, 4, 5]


def test_what_a_subscription_has_not_read_stays_and_it_is_named(log: EventLog) -> None:
    ended(log, "a", "b")
    Delivery(log.database, Subscription("slow", (), lambda event: None, batch=1)).step()
    done = prune(log.database, 90, datetime.now(UTC) + LATER)
    assert (done.events, done.kept_by) == (1, "subscription `slow` has not read on")
    SubscriptionStore(log.database).forget("slow")
    assert prune(log.database, 90, datetime.now(UTC) + LATER).events == 3


def test_a_dead_letter_keeps_its_event(log: EventLog) -> None:
    ended(log, "a", "b")

    def broken(event: Envelope) -> None:
        if event.position == 3:
            raise ValueError("no")

    Delivery(log.database, Subscription("s", (), broken, attempts=1)).catch_up()
    done = prune(log.database, 90, datetime.now(UTC) + LATER)
    assert (done.events, done.kept_by) == (2, "it is a dead letter of subscription `s`")


def test_a_run_of_which_nothing_is_kept_goes_on_with_its_numbers(log: EventLog) -> None:
    ended(log, "a")
    prune(log.database, 90, datetime.now(UTC) + LATER)
    (stored,) = log.append("a", [PipelineReopenedEvent("a", "resumed")], expect=2)
    assert stored.id == "a/3"
    assert (find_run(log, "a").state, find_run(log, "a").pipeline) == ("queued", "p")
    assert prune(log.database, 90, datetime.now(UTC) + LATER).events == 0


def test_it_removes_a_little_at_a_time(log: EventLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "AT_ONCE", 3)
    ended(log, *(f"r{i}" for i in range(5)))
    assert prune(log.database, 90, datetime.now(UTC) + LATER).events == 10
    assert log.verify().fault is None


def overlapping_runs(log: EventLog, i: int, facts: Sequence[tuple[str, int, int]]) -> None:
    """Runs of one group go on while those of the next begin; each group ends."""
    mine = [(f"{run}.{i // 2 + n % 2}", which, n) for run, which, n in facts]
    for run in dict.fromkeys(run for run, _, _ in mine):
        if not list(log.read(run)):
            log.append(run, [PipelineQueuedEvent(run, PIPELINES[run.partition(".")[0]])])
    append(log, mine)
    if i % 2:
        over = [run.id for run in all_runs(log) if run.id.endswith(f".{i // 2}")]
        append(log, [(run, COMPLETES, 1) for run in over])


@SOME
@given(histories=LONG, tail=st.lists(FACTS, max_size=8), share=st.floats(0, 1))
def test_snapshot_and_tail_are_the_full_replay(
    database: Database, histories: list[list[tuple[str, int, int]]], tail: list[tuple[str, int, int]], share: float
) -> None:
    log = fresh(database)
    for i, facts in enumerate(histories):
        overlapping_runs(log, i, facts)
    if not log.last():
        ended(log, "r1")
    every = list(log.read())
    all_runs(log)
    state, history = state_hash(database), check_history(log, "p")
    now = every[int(share * (len(every) - 1))].at + timedelta(days=90, microseconds=1)
    done = prune(database, 90, now)
    assert positions(log) == [e.position for e in every[done.position :]]
    assert log.verify().fault is None
    assert state_hash(database) == state
    SubscriptionStore(database).replay(READ_SIDE)
    assert list(all_runs(log)) == by_stream(every)
    assert check_history(log, "p") == history
    assert state_hash(database) == state
    append(log, [(f"{run}.0", which, n) for run, which, n in tail if which != QUEUED])
    every += list(log.read(after=every[-1].position))
    assert list(all_runs(log)) == by_stream(every)


@pytest.mark.parametrize("old", [False, True], ids=["new file", "file of the first release"])
def test_the_file_of_sqlite_shrinks(tmp_path: Path, old: bool) -> None:
    path = tmp_path / "headrace.db"
    if old:
        first_release.write(path)
    log = EventLog(SqliteDatabase(path))
    for i in range(60):
        log.append(f"r{i}", [PipelineStartedEvent(f"r{i}", {"text": "x" * 50_000}), PipelineCompletedEvent(f"r{i}")])
    assert path.stat().st_size + Path(f"{path}-wal").stat().st_size > 3_000_000
    prune(log.database, 90, datetime.now(UTC) + LATER)
    assert path.stat().st_size + Path(f"{path}-wal").stat().st_size < 700_000
    ended(log, "after")
    assert log.verify().fault is None
    log.database.close()


def asked(log: EventLog, key: str, text: str = "pipeline: p") -> str:
    """A run with a key, which has ended."""
    queue, request = DatabaseRunQueue(log.database), requested(key, text)
    lease = queue.start(request, Worker("w", "h"))
    assert lease is not None
    queue.append(lease, [PipelineStartedEvent(lease.run_id, pipeline="p"), PipelineCompletedEvent(lease.run_id, pipeline="p")])
    return lease.run_id


def requested(key: str, text: str = "pipeline: p") -> RunRequest:
    return RunRequest(f"run-{key}-{uuid.uuid4()}", "p", "/p", keep(text, "p", Path("/p"), None), key=key)


def texts(log: EventLog) -> int:
    with log.database.reading() as db:
        return int(db.rows("select count(*) from definitions")[0][0])


def test_a_key_holds_for_as_long_again_as_the_events_of_its_run(log: EventLog) -> None:
    queue, first, now = DatabaseRunQueue(log.database), asked(log, "tick"), datetime.now(UTC)
    assert (prune(log.database, 90, now + LATER).events, positions(log)) == (4, [])
    assert queue.submit(requested("tick")) == first, "its events are gone, and the request is still known"
    assert prune(log.database, 90, now + LATER + timedelta(days=89)).keys == 0
    assert prune(log.database, 90, now + LATER + timedelta(days=91)).keys == 1
    assert queue.submit(requested("tick")) != first


def test_the_key_of_a_run_that_goes_on_stays_however_old(log: EventLog) -> None:
    queue = DatabaseRunQueue(log.database)
    first = queue.submit(requested("open"))
    assert prune(log.database, 90, datetime.now(UTC) + 10 * LATER).keys == 0
    assert queue.submit(requested("open")) == first


def test_texts_go_that_nothing_refers_to(log: EventLog) -> None:
    queue, now = DatabaseRunQueue(log.database), datetime.now(UTC)
    ended_long_ago = requested("a", "pipeline: p  # old")
    asked(log, "b", "pipeline: p  # old")
    served = keep("pipeline: p  # in service", "p", Path("/p"), Path("/p/p.yaml"))
    DatabaseServiceRecords(log.database).put("/p/p.yaml", "digest", served)
    assert (prune(log.database, 90, now + timedelta(days=89)).definitions, texts(log)) == (0, 2)
    open_run = queue.submit(requested("c", "pipeline: p  # goes on"))
    assert prune(log.database, 90, now + LATER).definitions == 1, "the run of the old one has ended, and is not kept any more"
    assert ended_long_ago.definition is not None
    assert queue.definition(ended_long_ago.definition.fingerprint) is None
    assert queue.definition(served.fingerprint) == served
    found = queue.request(open_run)
    assert found is not None
    assert found.definition is not None


def test_a_text_stays_as_long_as_a_run_that_went_by_it_is_kept(log: EventLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leftovers, "AT_ONCE", 1)
    log.append("open", [PipelineStartedEvent("open", pipeline="p")])
    for key in ("a", "b"):
        asked(log, key, f"pipeline: p  # {key}")
    assert prune(log.database, 90, datetime.now(UTC) + LATER).definitions == 0
    assert texts(log) == 2, "a run before them goes on and keeps the events of both"


def test_of_runs_that_are_gone_nothing_is_known(log: EventLog) -> None:
    gone, waiting = asked(log, "gone"), DatabaseRunQueue(log.database).submit(requested("waits"))
    assert forgotten(log.database, [gone, waiting, "never"]) == {"never"}
    prune(log.database, 90, datetime.now(UTC) + LATER)
    assert forgotten(log.database, [gone, waiting]) == {gone}
