"""The event log on SQLite: order, concurrency, the hash chain."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest

from headrace.bus.events import PipelineCompletedEvent, PipelineFailedEvent, PipelineStartedEvent
from headrace.errors import NonRetryableError, RetryableError
from headrace.infrastructure.storage.sqlite_events import SqliteEventStore


@pytest.fixture
def store(tmp_path: Path) -> SqliteEventStore:
    return SqliteEventStore(tmp_path / "state" / "log.db")


def test_reads_back_in_the_order_of_appending_with_positions_and_numbers(store: SqliteEventStore) -> None:
    store.append("a", [PipelineStartedEvent("p", "f")])
    store.append("b", [PipelineStartedEvent("q", "f"), PipelineCompletedEvent("q", 1.5)])
    store.append("a", [PipelineFailedEvent("p", "RunError", "no", seconds=0.1)])
    found = list(store.read())
    assert [(e.position, e.stream, e.number, e.type) for e in found] == [
        (1, "a", 1, "pipeline.started/1"),
        (2, "b", 1, "pipeline.started/1"),
        (3, "b", 2, "pipeline.completed/1"),
        (4, "a", 2, "pipeline.failed/1"),
    ]
    assert found[2].data == {"pipeline": "q", "seconds": 1.5, "unchanged": False}


def test_reads_a_stream_a_tail_and_a_type(store: SqliteEventStore) -> None:
    store.append("a", [PipelineStartedEvent("p", "f"), PipelineCompletedEvent("p", 1)])
    store.append("b", [PipelineStartedEvent("q", "f")])
    assert [e.position for e in store.read("a")] == [1, 2]
    assert [e.position for e in store.read(after=1)] == [2, 3]
    assert [e.stream for e in store.read(types=["pipeline.started/1"])] == ["a", "b"]


def test_refuses_an_append_to_a_stream_that_someone_else_went_on_with(store: SqliteEventStore) -> None:
    store.append("a", [PipelineStartedEvent("p", "f")], expect=0)
    with pytest.raises(RetryableError, match="has 1 events, not 0"):
        store.append("a", [PipelineCompletedEvent("p", 1)], expect=0)
    assert len(list(store.read())) == 1


def test_chains_every_event_to_the_one_before(store: SqliteEventStore) -> None:
    """Changing one event's data changes its hash, so the chain behind it no longer fits."""
    store.append("a", [PipelineStartedEvent("p", "f"), PipelineCompletedEvent("p", 1)])
    other = SqliteEventStore(store.path.with_name("other.db"))
    other.append("a", [PipelineStartedEvent("p", "g")])
    hashes = [e.hash for e in store.read()]
    assert len(set(hashes)) == 2
    assert all(len(h) == 64 for h in hashes)
    assert next(iter(other.read())).hash != hashes[0]


def test_many_writers_leave_one_dense_order(store: SqliteEventStore) -> None:
    def write(name: str) -> None:
        for _ in range(10):
            store.append(name, [PipelineStartedEvent("p", "f")])

    threads = [threading.Thread(target=write, args=(f"s{i}",)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [e.position for e in store.read()] == list(range(1, 41))


def test_a_log_that_does_not_exist_is_empty_and_stays_so(store: SqliteEventStore) -> None:
    assert list(store.read()) == []
    assert not store.path.exists()


def test_a_file_that_is_no_database_is_told_of_plainly(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    path.write_bytes(b"not a database at all" * 100)
    with pytest.raises(NonRetryableError, match="cannot be opened") as caught:
        SqliteEventStore(path).append("a", [PipelineStartedEvent("p", "f")])
    assert caught.value.hint


def test_leaves_the_database_readable_by_others_between_calls(store: SqliteEventStore) -> None:
    store.append("a", [PipelineStartedEvent("p", "f")])
    db = sqlite3.connect(store.path)
    assert db.execute("select count(*) from events").fetchone() == (1,)
    db.close()
