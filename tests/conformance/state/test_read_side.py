"""The read side on every database: it says what a fold of all streams says, is made anew to the same rows, and costs only what is new."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.conformance.state.conftest import Opens

from headrace.application.queries.quality import check_history
from headrace.application.queries.quarantine import held_rows
from headrace.application.queries.runs import RunView, all_runs, find_run, fold
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
    QualityCheckEvent,
    QuarantineReplayedEvent,
    QuarantineReplayIntendedEvent,
)
from headrace.bus.lifecycle import (
    LeaseLostEvent,
    PipelineClaimedEvent,
    PipelineQueuedEvent,
    PipelineReopenedEvent,
    PipelineRetriedEvent,
    PipelineWaitingEvent,
)
from headrace.bus.store import EventStore
from headrace.infrastructure.storage.database import Database
from headrace.infrastructure.storage.event_log import EventLog
from headrace.infrastructure.storage.read_side import READ_SIDE
from headrace.infrastructure.storage.subscription_store import SubscriptionStore

RUNS = ["r1", "r2", "r3", "r4"]
PIPELINES = {"r1": "p", "r2": "p", "r3": "q", "r4": "p"}
GRAPH = [{"name": "a", "part": "source", "kind": "file", "inputs": []}, {"name": "out", "part": "sink", "kind": "file"}]
TABLES = {"view_runs": "run_id", "view_steps": "run_id, part, name", "view_quality": "position", "view_replays": "position"}


def an_event(run: str, which: int, n: int) -> Event:
    """One of the facts of a run, with numbers that differ."""
    p = PIPELINES[run.partition(".")[0]]
    makers: list[Event] = [
        PipelineQueuedEvent(run, p, params={"n": n}, priority=n % 3),
        PipelineWaitingEvent(run, f"because {n}"),
        PipelineClaimedEvent(run, f"w{n}", n, n),
        PipelineStartedEvent(run, pipeline=p, fingerprint=f"f{n}", graph=GRAPH),
        LeaseLostEvent(run, f"w{n}", n, "gone"),
        PipelineRetriedEvent(run, "s", n, 0.5, "E", "m"),
        DataIngestedEvent(run, f"d{n % 2}", "file", n, 1, 10, 0.25),
        DataValidatedEvent(run, f"d{n % 2}", n + 3, n, 3, quarantine=f"q/{run}.parquet", rules=[{"rule": "x", "rows": 3}]),
        DataProcessedEvent(run, f"s{n % 2}", "filter", {"d0": n}, n, 1),
        DataStagedEvent(run, "s0", n, 5, ["f"], [["a", "int64"]]),
        QualityCheckEvent(
            run, f"c{n % 2}", "row_count", "s0", ["pass", "fail", "error", "learning"][n % 4], "warn", "o", "e", f"v{n % 2}", {"value": n}
        ),
        DataStoredEvent(run, "out", "file", "s0", "t", "c", n, inserted=n),
        QuarantineReplayIntendedEvent(run, "r1", "d0", [f"h{n}"], {"out": f"c{n}"}),
        QuarantineReplayedEvent(run, "r1", "d0", [f"h{n}"]),
        PipelineCompletedEvent(run, pipeline=p, seconds=n / 8),
        PipelineFailedEvent(run, "no", pipeline=p, error="ProcessDied", seconds=0.5),
        PipelineCancelledEvent(run, pipeline=p),
        PipelineReopenedEvent(run, "resumed", "ada"),
    ]  # fmt: skip
    return makers[which % len(makers)]


FACTS = st.tuples(st.sampled_from(RUNS), st.integers(0, 17), st.integers(0, 9))
HISTORIES = st.lists(st.lists(FACTS, min_size=1, max_size=6), max_size=12)
SOME = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def fresh(database: Database) -> EventLog:
    """The log, emptied."""
    tables = ["events", "subscriptions", "dead_letters", *TABLES]

    def empty(db: Any) -> None:
        for table in tables:
            db.run(f"delete from {table}")
        db.run("update marks set number = 0, text = '' where name in ('head', 'anchor')")

    database.write(empty)
    return EventLog(database)


def append(log: EventLog, facts: Sequence[tuple[str, int, int]]) -> None:
    for run, which, n in facts:
        log.append(run, [an_event(run, which, n)])


def state_hash(database: Database) -> str:
    """Of all rows of the read side."""
    with database.reading() as db:
        rows = [[list(row) for row in db.rows(f"select * from {table} order by {key}")] for table, key in TABLES.items()]
    return hashlib.sha256(json.dumps(rows, default=str).encode()).hexdigest()


# What the answers were before there were tables ----------------------------------------------------------------------


def folded(store: EventStore) -> list[RunView]:
    streams = dict.fromkeys(e.stream for e in store.read())
    return [run for run in reversed([fold(s, store.read(s)) for s in streams]) if run.pipeline]


def history_of_streams(store: EventStore, pipeline: str) -> dict[tuple[str, str], list[tuple[datetime, Any]]]:
    runs = {run.id: run for run in folded(store) if run.pipeline == pipeline}
    found: dict[tuple[str, str], list[tuple[datetime, Any]]] = {}
    for event in store.read(types=["quality.checked/1"]):
        if event.stream in runs:
            rows = found.setdefault((event.data["check"], event.data["version"]), [])
            if runs[event.stream].state == "succeeded" and event.data["outcome"] != "error":
                rows.append((event.at, event.data["values"]))
    return found


@SOME
@given(histories=HISTORIES)
def test_the_tables_say_what_a_fold_of_all_streams_says(
    database: Database, histories: list[list[tuple[str, int, int]]]
) -> None:
    """However the questions are spread over the events."""
    log = fresh(database)
    for run in RUNS:  # a run's pipeline is known before anything is measured in it
        log.append(run, [PipelineQueuedEvent(run, PIPELINES[run])])
    for facts in histories:
        append(log, facts)
        assert list(all_runs(log)) == folded(log)
        for pipeline in ("p", "q"):
            assert check_history(log, pipeline) == history_of_streams(log, pipeline)
    assert SubscriptionStore(database).dead_letters() == []


@SOME
@given(histories=HISTORIES, cut=st.integers(0, 30))
def test_replaying_it_gives_the_same_state(database: Database, histories: list[list[tuple[str, int, int]]], cut: int) -> None:
    log = fresh(database)
    for facts in histories:
        append(log, facts)
        all_runs(log)
    before = state_hash(database)
    store = SubscriptionStore(database)
    for start in (0, min(cut, log.last())):
        store.replay(READ_SIDE, start)
        all_runs(log)
        assert state_hash(database) == before
    database.write(lambda db: [db.run(f"delete from {table}") for table in (*TABLES, "subscriptions")])
    all_runs(log)
    assert state_hash(database) == before


def test_runs_are_found_without_reading_the_log_anew(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    log = EventLog(database)
    append(log, [(run, 3, 1) for run in RUNS])
    assert [r.id for r in all_runs(log, "p", limit=2)] == ["r4", "r2"]
    database.write(lambda db: db.run("delete from events"))
    assert [r.id for r in all_runs(log)] == ["r4", "r3", "r2", "r1"]
    assert find_run(log, "r3").pipeline == "q"
    assert find_run(log, None, "q").id == "r3"


def test_parts_of_a_run_have_their_balances(database: Database) -> None:
    log = EventLog(database)
    append(log, [("r1", 3, 0), ("r1", 6, 9), ("r1", 7, 6), ("r1", 8, 6), ("r1", 11, 5)])
    assert all_runs(log)[0].quarantined == 3
    with database.reading() as db:
        rows = db.rows("select part, name, rows_in, rows_out, filtered, quarantined from view_steps order by part, name")
    assert [tuple(row) for row in rows] == [
        ("sink", "out", 5, 5, 0, 0), ("source", "d0", 9, 6, 0, 3), ("source", "d1", 9, None, 0, 0), ("step", "s0", 6, 6, 1, 0),
    ]  # fmt: skip


def test_rows_that_left_quarantine_are_known(database: Database) -> None:
    log = EventLog(database)
    append(log, [("r1", 3, 0), ("r1", 7, 6), ("r1", 14, 1), ("r2", 3, 0), ("r2", 12, 4), ("r2", 13, 4)])
    (held,) = held_rows(log)
    assert (held.run_id, held.rows, held.replayed) == ("r1", 3, {"h4"})


def test_two_processes_that_ask_at_once_fold_each_event_once(opens: Opens) -> None:
    first, second = EventLog(opens()), EventLog(opens())
    for n in range(20):
        append(first, [("r1", 5, n)])
        all_runs(first if n % 2 else second)
    append(first, [("r1", 3, 1)])
    assert len(find_run(second, "r1").retries) == len(find_run(first, "r1").retries) == 20


def test_an_event_that_cannot_be_folded_hides_no_other(database: Database) -> None:
    """A fact of a newer version, say, whose data are not what this one expects."""
    log = EventLog(database)
    append(log, [("r1", 3, 1), ("r2", 3, 1)])
    database.write(lambda db: db.run("update events set type = 'data.processed/9', data = '{}' where position = 1"))
    assert [r.id for r in all_runs(log)] == ["r2"]
    (letter,) = SubscriptionStore(database).dead_letters()
    assert (letter.subscription, letter.position) == ("read side", 1)
