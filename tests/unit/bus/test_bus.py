"""The bus: what is published is stored first and heard afterwards, by those it concerns."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from headrace.bus.bus import EventBus
from headrace.bus.events import PipelineCompletedEvent, PipelineStartedEvent
from headrace.bus.store import Envelope, Origin
from headrace.infrastructure.storage.event_log import EventLog
from headrace.infrastructure.storage.sqlite_database import SqliteDatabase


def test_handlers_hear_of_what_is_already_stored(tmp_path: Path) -> None:
    store = EventLog(SqliteDatabase(tmp_path / "log.db"))
    bus = EventBus(store)
    seen: list[tuple[str, int]] = []
    bus.subscribe((), lambda e: seen.append((e.type, len(list(store.read())))))
    bus.record(PipelineStartedEvent("run"), PipelineCompletedEvent("run", 1))
    assert seen == [("pipeline.started/1", 2), ("pipeline.completed/1", 2)]


def test_a_handler_of_one_type_hears_of_no_other(tmp_path: Path) -> None:
    bus = EventBus(EventLog(SqliteDatabase(tmp_path / "log.db")))
    seen: list[Envelope] = []
    bus.subscribe(PipelineCompletedEvent, seen.append)
    bus.record(PipelineStartedEvent("run"))
    bus.record(PipelineCompletedEvent("run", 1))
    assert [e.type for e in seen] == ["pipeline.completed/1"]


def test_a_handler_that_fails_does_not_undo_what_happened(tmp_path: Path) -> None:
    bus = EventBus(EventLog(SqliteDatabase(tmp_path / "log.db")))

    def broken(_event: Envelope) -> None:
        raise RuntimeError("broken")

    bus.subscribe((), broken)
    with pytest.raises(RuntimeError):
        bus.record(PipelineStartedEvent("run"))
    assert len(list(bus.store.read())) == 1


def test_publishing_waits_for_handlers_that_wait(tmp_path: Path) -> None:
    bus = EventBus(EventLog(SqliteDatabase(tmp_path / "log.db")), Origin("ada"))
    seen: list[str] = []

    async def slow(event: Envelope) -> None:
        await asyncio.sleep(0)
        seen.append(event.origin.actor)

    bus.subscribe((), slow)
    stored = asyncio.run(bus.publish(PipelineStartedEvent("run", {"any": "thing"})))
    assert (stored.id, stored.data["pipeline_config"], seen) == ("run/1", {"any": "thing"}, ["ada"])
    bus.record(PipelineCompletedEvent("run"))
    assert seen == ["ada", "ada"]
