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
from headrace.infrastructure.storage.sqlite_events import SqliteEventStore


@pytest.fixture
def bus(tmp_path: Path) -> EventBus:
    return EventBus(SqliteEventStore(tmp_path / "log.db"))


def test_a_run_is_what_its_events_say(bus: EventBus) -> None:
    graph = [{"name": "a", "part": "source", "kind": "file", "inputs": []}]
    bus.publish("r1", PipelineStartedEvent("p", "f1", {"day": "1"}, "p.yaml", graph))
    bus.publish("r1", DataValidatedEvent("a", read=10, good=7, quarantined=3))
    bus.publish("r1", DataProcessedEvent("s", "filter", {"a": 7}, rows=5, filtered=2))
    bus.publish("r1", DataStoredEvent("out", "file", "s", "x/", "c1", rows=5, inserted=5))
    assert fold("r1", bus.store.read("r1")).state == "running"
    bus.publish("r1", PipelineCompletedEvent("p", 0.5))
    run = fold("r1", bus.store.read("r1"))
    assert (run.state, run.read, run.quarantined, run.written) == ("succeeded", 10, 3, 5)
    assert (run.rows("a"), run.rows("s"), run.rows("nothing")) == (7, 5, None)
    assert run.params == {"day": "1"}
    assert run.graph == graph


def test_a_failed_run_keeps_what_went_wrong(bus: EventBus) -> None:
    bus.publish("r1", PipelineStartedEvent("p", "f"))
    bus.publish("r1", PipelineFailedEvent("p", "AuditFailed", "too few", "mend it", 1.0))
    run = fold("r1", bus.store.read("r1"))
    assert run.state == "failed"
    assert run.error is not None
    assert (run.error["error"], run.error["hint"]) == ("AuditFailed", "mend it")


def test_runs_are_found_by_the_beginning_of_their_id(bus: EventBus) -> None:
    for run_id in ("2026-a1", "2026-a2", "2027-b1"):
        bus.publish(run_id, PipelineStartedEvent("p", "f"))
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
