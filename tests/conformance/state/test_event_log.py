"""The event log: order, concurrency, the hash chain, on every database."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest
from tests.conformance.state.conftest import Opens

from headrace.bus.events import PipelineCompletedEvent, PipelineFailedEvent, PipelineStartedEvent
from headrace.bus.store import Origin
from headrace.errors import RetryableError
from headrace.infrastructure.storage.database import Database
from headrace.infrastructure.storage.event_log import EventLog


@pytest.fixture
def log(database: Database) -> EventLog:
    return EventLog(database)


def test_reads_back_in_the_order_of_appending_with_positions_and_numbers(log: EventLog) -> None:
    log.append("a", [PipelineStartedEvent("a", pipeline="p")])
    log.append("b", [PipelineStartedEvent("b"), PipelineCompletedEvent("b", {"rows": 2}, pipeline="q", seconds=1.5)])
    log.append("a", [PipelineFailedEvent("a", "no", pipeline="p")])
    found = list(log.read())
    assert [(e.position, e.stream, e.number, e.type) for e in found] == [
        (1, "a", 1, "pipeline.started/1"),
        (2, "b", 1, "pipeline.started/1"),
        (3, "b", 2, "pipeline.completed/1"),
        (4, "a", 2, "pipeline.failed/1"),
    ]
    assert found[2].data == {"result": {"rows": 2}, "pipeline": "q", "seconds": 1.5, "unchanged": False}
    assert log.last() == 4


def test_reads_a_stream_a_tail_and_a_type(log: EventLog) -> None:
    log.append("a", [PipelineStartedEvent("a"), PipelineCompletedEvent("a")])
    log.append("b", [PipelineStartedEvent("b")])
    assert [e.position for e in log.read("a")] == [1, 2]
    assert [e.position for e in log.read(after=1)] == [2, 3]
    assert [e.stream for e in log.read(types=["pipeline.started/1"])] == ["a", "b"]


def test_refuses_an_append_to_a_stream_that_someone_else_went_on_with(log: EventLog) -> None:
    log.append("a", [PipelineStartedEvent("a")], expect=0)
    with pytest.raises(RetryableError, match="has 1 events, not 0"):
        log.append("a", [PipelineCompletedEvent("a")], expect=0)
    assert len(list(log.read())) == 1


def test_keeps_who_made_an_event_come_about(log: EventLog) -> None:
    origin = Origin("ada", "backfill-1", "other/3")
    log.append("a", [PipelineStartedEvent("a")], origin=origin)
    log.append("a", [PipelineCompletedEvent("a")])
    assert [e.origin for e in log.read()] == [origin, Origin()]
    assert log.verify().fault is None


def test_many_writers_leave_one_dense_order(opens: Opens) -> None:
    def write(name: str) -> None:
        own = EventLog(opens())
        for _ in range(10):
            own.append(name, [PipelineStartedEvent(name)])

    threads = [threading.Thread(target=write, args=(f"s{i}",)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = EventLog(opens())
    assert [e.position for e in found.read()] == list(range(1, 41))
    assert found.verify().fault is None


TAMPERING = {
    "edited": (["update events set data = '{}' where position = 3"], 3),
    "another author": (["update events set actor = 'eve' where position = 3"], 3),
    "another time": (["update events set at = '2020-01-01T00:00:00+00:00' where position = 3"], 3),
    "removed": (["delete from events where position = 3"], 4),
    "removed and closed up": (
        ["delete from events where position = 3", "update events set position = position - 1 where position > 3"], 3,
    ),
    "swapped": (
        [
            "update events set position = -1 where position = 2", "update events set position = 2 where position = 3",
            "update events set position = 3 where position = -1",
        ],
        2,
    ),
    "inserted": (
        [
            "update events set position = -position where position > 2", "update events set position = 1 - position where position < 0",
            ("insert into events (position, stream, number, type, at, data, hash) "
            "select 3, 'x', 1, type, at, data, hash from events where position = 2"),
        ],
        3,
    ),
    "cut off": (["delete from events where position > 4"], None),
}  # fmt: skip


@pytest.mark.parametrize("how", TAMPERING)
def test_the_first_event_that_was_tampered_with_is_named(log: EventLog, how: str) -> None:
    for i in range(6):
        log.append(f"r{i}", [PipelineStartedEvent(f"r{i}", {"n": i})])
    assert (log.verify().events, log.verify().fault) == (6, None)
    statements, first = TAMPERING[how]
    log.database.write(lambda db: _all(db, statements))
    found = log.verify()
    assert found.fault is not None
    assert (found.at.position if found.at else None) == first


def _all(db: object, statements: Sequence[str]) -> None:
    for statement in statements:
        db.run(statement)  # type: ignore[attr-defined]


def test_a_log_that_does_not_exist_is_empty(log: EventLog) -> None:
    assert list(log.read()) == []
    assert (log.last(), log.verify().events) == (0, 0)
