"""Runs as the fold of their events."""

from __future__ import annotations

from pathlib import Path

import pytest

from headrace.application.queries.runs import all_runs, find_run, fold
from headrace.bus.bus import EventBus
from headrace.bus.events import (
    DataProcessedEvent,
    DataStoredEvent,
    DataValidatedEvent,
    PipelineCompletedEvent,
    PipelineFailedEvent,
    PipelineStartedEvent,
)
from headrace.errors import UsageError
from headrace.infrastructure.storage.event_log import EventLog
from headrace.infrastructure.storage.sqlite_database import SqliteDatabase


@pytest.fixture
def bus(tmp_path: Path) -> EventBus:
    return EventBus(EventLog(SqliteDatabase(tmp_path / "log.db")))


def test_a_run_is_what_its_events_say(bus: EventBus) -> None:
    graph = [{"name": "a", "part": "source", "kind": "file", "inputs": []}]
    bus.record(
        PipelineStartedEvent("r1", pipeline="p", fingerprint="f1", params={"day": "1"}, definition="p.yaml", graph=graph)
    )
    bus.record(DataValidatedEvent("r1", "a", read=10, good=7, quarantined=3))
    bus.record(DataProcessedEvent("r1", "s", "filter", {"a": 7}, rows=5, filtered=2))
    bus.record(DataStoredEvent("r1", "out", "file", "s", "x/", "c1", rows=5, inserted=5))
    assert fold("r1", bus.store.read("r1")).state == "running"
    bus.record(PipelineCompletedEvent("r1", pipeline="p", seconds=0.5))
    run = fold("r1", bus.store.read("r1"))
    assert (run.state, run.read, run.quarantined, run.written) == ("succeeded", 10, 3, 5)
    assert (run.rows("a"), run.rows("s"), run.rows("nothing")) == (7, 5, None)
    assert run.params == {"day": "1"}
    assert run.graph == graph


def test_a_failed_run_keeps_what_went_wrong(bus: EventBus) -> None:
    bus.record(PipelineStartedEvent("r1", pipeline="p", fingerprint="f"))
    bus.record(PipelineFailedEvent("r1", "too few", pipeline="p", error="AuditFailed", hint="mend it", seconds=1.0))
    run = fold("r1", bus.store.read("r1"))
    assert run.state == "failed"
    assert run.error is not None
    assert (run.error["error"], run.error["hint"]) == ("AuditFailed", "mend it")


def test_runs_are_found_by_the_beginning_of_their_id(bus: EventBus) -> None:
    for run_id in ("2026-a1", "2026-a2", "2027-b1"):
        bus.record(PipelineStartedEvent(run_id, pipeline="p", fingerprint="f"))
    assert [r.id for r in all_runs(bus.store)] == ["2027-b1", "2026-a2", "2026-a1"]
    assert find_run(bus.store, "2027").id == "2027-b1"
    assert find_run(bus.store, "latest").id == "2027-b1"
    with pytest.raises(UsageError, match="several runs"):
        find_run(bus.store, "2026")
    with pytest.raises(UsageError, match="no run `3000`"):
        find_run(bus.store, "3000")


def test_no_runs_at_all_says_how_to_start_one(bus: EventBus) -> None:
    with pytest.raises(UsageError) as caught:
        find_run(bus.store, None)
    assert "headrace run" in str(caught.value.hint)
