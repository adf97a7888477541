"""What older versions wrote is read for good, and what newer ones wrote is kept as it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.conformance.state import first_release

from headrace.application.queries.quality import check_history
from headrace.application.queries.quarantine import held_rows
from headrace.application.queries.runs import all_runs
from headrace.bus import upcasting
from headrace.bus.events import DataStoredEvent, PipelineCompletedEvent, PipelineFailedEvent, PipelineStartedEvent
from headrace.bus.upcasting import KNOWN, event_of
from headrace.infrastructure.storage.database import Database
from headrace.infrastructure.storage.event_log import EventLog
from headrace.infrastructure.storage.sqlite_database import SqliteDatabase


@pytest.fixture
def old(tmp_path: Path) -> EventLog:
    first_release.write(tmp_path / "headrace.db")
    return EventLog(SqliteDatabase(tmp_path / "headrace.db"))


def test_the_log_of_the_first_release_is_whole_and_goes_on(old: EventLog) -> None:
    old.append("new", [PipelineCompletedEvent("new")])
    found = old.verify()
    assert (found.events, found.fault) == (len(first_release.rows()) + 1, None)


def test_the_runs_of_the_first_release_are_seen_as_they_were(old: EventLog) -> None:
    failed, succeeded = all_runs(old)
    assert (succeeded.state, succeeded.read, succeeded.quarantined, succeeded.written) == ("succeeded", 12, 6, 5)
    assert (failed.state, failed.error and failed.error["error"]) == ("failed", "AuditFailed")
    assert [(held.rows, sum(held.reasons.values())) for held in held_rows(old)] == [(6, 6), (6, 6)]
    assert {check for check, _ in check_history(old, "orders")} == {"row_count", "null_share"}


def test_the_events_of_the_first_release_are_typed_again(old: EventLog) -> None:
    typed = [event_of(e) for e in old.read()]
    assert None not in typed
    started, completed, failed = typed[0], typed[9], typed[-1]
    assert isinstance(started, PipelineStartedEvent)
    assert (started.pipeline, started.params, started.pipeline_config) == ("orders", {"since": "2024-01-01"}, {})
    assert isinstance(completed, PipelineCompletedEvent)
    assert isinstance(failed, PipelineFailedEvent)
    assert failed.pipeline_id == first_release.rows()[-1]["stream"]


def test_old_data_are_lifted_step_by_step_when_read_and_stay_as_they_were_stored(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def named(data: Mapping[str, Any]) -> Mapping[str, Any]:
        return {**data, "name": data["pipeline"]}

    def louder(data: Mapping[str, Any]) -> Mapping[str, Any]:
        return {**data, "name": data["name"].upper()}

    log = EventLog(database)
    log.append("a", [PipelineCompletedEvent("a", pipeline="p")])
    database.write(lambda db: db.run("update events set type = 'pipeline.completed/2' where position < 0"))
    monkeypatch.setitem(upcasting.LIFTS, "pipeline.completed", [named, louder])
    (found,) = log.read(types=["pipeline.completed/3"])
    assert (found.type, found.data["name"]) == ("pipeline.completed/3", "P")
    assert log.verify().fault is None
    assert event_of(found) is None  # the class is still that of version 1
    with database.reading() as db:
        ((stored, data),) = db.rows("select type, data from events")
    assert (stored, "name" in json.loads(data)) == ("pipeline.completed/1", False)


@pytest.mark.parametrize("written", ["data.teleported/1", "pipeline.completed/7", "odd"])
def test_what_is_not_known_is_given_as_it_was_stored(database: Database, written: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Foreign(PipelineCompletedEvent):
        def data(self) -> dict[str, Any]:
            return {"from": "elsewhere"}

    monkeypatch.setattr(Foreign, "written", written)
    monkeypatch.setitem(upcasting.LIFTS, "pipeline.completed", [lambda data: {**data, "lifted": True}])
    log = EventLog(database)
    log.append("a", [Foreign("a")])
    (found,) = log.read()
    assert found.type == written
    assert found.data["from"] == "elsewhere"
    assert event_of(found) is None
    assert log.verify().fault is None


def test_every_typed_event_comes_back_as_it_was(database: Database) -> None:
    log = EventLog(database)
    event = DataStoredEvent("a", "out", "file", "s", "t/", "c1", rows=5, inserted=5, seconds=0.25)
    log.append("a", [event])
    assert [event_of(e) for e in log.read()] == [event]


def test_every_type_has_the_version_that_its_lifts_lead_to() -> None:
    assert {kind: cls.written for kind, cls in KNOWN.items()} == {
        kind: f"{kind}/{len(upcasting.LIFTS.get(kind, ())) + 1}" for kind in KNOWN
    }
