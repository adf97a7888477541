"""The bus: what is published is stored first and heard afterwards, by those it concerns."""

from __future__ import annotations

from pathlib import Path

import pytest

from headrace.bus.bus import EventBus
from headrace.bus.events import PipelineCompletedEvent, PipelineStartedEvent
from headrace.bus.store import Envelope
from headrace.infrastructure.storage.sqlite_events import SqliteEventStore


def test_handlers_hear_of_what_is_already_stored(tmp_path: Path) -> None:
    store = SqliteEventStore(tmp_path / "log.db")
    bus = EventBus(store)
    seen: list[tuple[str, int]] = []
    bus.subscribe(lambda e: seen.append((e.type, len(list(store.read())))))
    bus.publish("run", PipelineStartedEvent("p", "f"), PipelineCompletedEvent("p", 1))
    assert seen == [("pipeline.started/1", 2), ("pipeline.completed/1", 2)]


def test_a_handler_of_one_type_hears_of_no_other(tmp_path: Path) -> None:
    bus = EventBus(SqliteEventStore(tmp_path / "log.db"))
    seen: list[Envelope] = []
    bus.subscribe(seen.append, [PipelineCompletedEvent])
    bus.publish("run", PipelineStartedEvent("p", "f"))
    bus.publish("run", PipelineCompletedEvent("p", 1))
    assert [e.type for e in seen] == ["pipeline.completed/1"]


def test_a_handler_that_fails_does_not_undo_what_happened(tmp_path: Path) -> None:
    bus = EventBus(SqliteEventStore(tmp_path / "log.db"))

    def broken(_event: Envelope) -> None:
        raise RuntimeError("broken")

    bus.subscribe(broken)
    with pytest.raises(RuntimeError):
        bus.publish("run", PipelineStartedEvent("p", "f"))
    assert len(list(bus.store.read())) == 1
