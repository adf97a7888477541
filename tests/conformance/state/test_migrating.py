"""Old databases are brought up to date in place, and a crash in the middle leaves the version before."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from tests.conformance.state.first_release import SCHEMA

from headrace.bus.events import PipelineCompletedEvent
from headrace.errors import NonRetryableError
from headrace.infrastructure.storage import migrating
from headrace.infrastructure.storage.event_log import EventLog
from headrace.infrastructure.storage.run_queue import DatabaseRunQueue
from headrace.infrastructure.storage.sqlite_database import SqliteDatabase

EVENTS = [
    (1, "old", 1, "pipeline.started/1", "2026-11-20T10:00:00.000001+00:00",
     '{"pipeline": "p", "fingerprint": "f", "params": {}, "definition": "p.yaml", "graph": [], "trigger": "command"}',
     "be1b5a4a5d9f3b6f2d0c3f1f3a2c8ad1b8ad23c0a9f3b5f93a6c5d7e5e1c0f00"),
]  # fmt: skip


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "headrace.db"
    db = sqlite3.connect(path)
    db.executescript(SCHEMA)
    db.executemany("insert into events values (?, ?, ?, ?, ?, ?, ?)", EVENTS)
    db.commit()
    db.close()
    return path


def test_an_old_log_goes_on_where_it_was(old: Path) -> None:
    log = EventLog(SqliteDatabase(old))
    log.append("new", [PipelineCompletedEvent("new")])
    assert [(e.position, e.stream) for e in log.read()] == [(1, "old"), (2, "new")]
    assert next(iter(log.read("new"))).number == 1
    assert DatabaseRunQueue(log.database).outstanding() != []


def test_a_crash_in_the_middle_leaves_the_version_before(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Dies(BaseException):
        pass

    script = migrating._missing

    def cut(version: int, kind: str):  # type: ignore[no-untyped-def]
        for number, text in script(version, kind):
            if "create table queue" in text:
                yield number, text[: text.index("create table queue")]
                raise Dies
            yield number, text

    monkeypatch.setattr(migrating, "_missing", cut)
    with pytest.raises(Dies):
        EventLog(SqliteDatabase(old)).append("new", [PipelineCompletedEvent("new")])
    monkeypatch.undo()
    with sqlite3.connect(old) as db:
        assert db.execute("select name from sqlite_master where name in ('marks', 'queue', 'migrations')").fetchall() == []
    db.close()
    EventLog(SqliteDatabase(old)).append("new", [PipelineCompletedEvent("new")])


def test_a_database_from_the_future_is_refused(old: Path) -> None:
    EventLog(SqliteDatabase(old)).append("new", [PipelineCompletedEvent("new")])
    with sqlite3.connect(old) as db:
        db.execute("insert into migrations (version) values (99)")
    db.close()
    with pytest.raises(NonRetryableError, match="has version 99"):
        EventLog(SqliteDatabase(old)).append("new", [PipelineCompletedEvent("new")])


def test_a_file_that_is_no_database_is_told_of_plainly(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    path.write_bytes(b"not a database at all" * 100)
    with pytest.raises(NonRetryableError, match="cannot be read") as caught:
        EventLog(SqliteDatabase(path)).append("a", [PipelineCompletedEvent("a")])
    assert caught.value.hint
