"""Clocks that step back and forth: schedules tick once for each time, and leases do not look at them at all."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from headrace import bootstrap
from headrace.application.orchestrator.queue import RunRequest, Worker
from headrace.application.orchestrator.scheduler import Scheduler
from headrace.infrastructure.storage.database import Database
from headrace.infrastructure.storage.event_log import EventLog
from headrace.infrastructure.storage.leadership import DatabaseLeadership
from headrace.infrastructure.storage.postgres_database import PostgresDatabase
from headrace.infrastructure.storage.run_queue import DatabaseRunQueue
from headrace.infrastructure.storage.service_records import DatabaseServiceRecords
from headrace.infrastructure.storage.sqlite_database import SqliteDatabase

BEGIN = datetime(2024, 3, 30, 22, 0, tzinfo=UTC)
#: An hour back, two hours on, small steps both ways, as a machine's clock that is set; the last is the latest.
STEPS = [0, 25, 24, -60, -50, 35, 34, 36, 120, 59, 130, 0, 131]


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    url = request.getfixturevalue("postgres") if request.param == "postgres" else ""
    opened = PostgresDatabase(lambda: url, "postgres") if url else SqliteDatabase(tmp_path / "headrace.db")
    yield opened
    opened.close()


@pytest.mark.parametrize("catch_up", ["all", "last"])
def test_a_schedule_ticks_once_for_each_time(catch_up: str, database: Database, tmp_path: Path) -> None:
    file = tmp_path / "pipeline.yaml"
    schedule = {"every": "10 minutes", "catch_up": catch_up}
    sources, sinks = {"rows": {"file": {"path": "in.csv"}}}, [{"file": {"path": "out.csv"}}]
    file.write_text(yaml.safe_dump({"version": 1, "pipeline": "p", "schedule": schedule, "sources": sources, "sinks": sinks}))
    (tmp_path / "in.csv").write_text("id\n1\n")
    loaded = bootstrap.load(file)
    now = [BEGIN]
    queue, log, records = DatabaseRunQueue(database), EventLog(database), DatabaseServiceRecords(database)
    scheduler = Scheduler(queue, log, records, lambda: {"p": loaded}, lambda _name: bootstrap.kept(loaded), lambda: now[0])
    for minutes in STEPS:
        now[0] = BEGIN + timedelta(minutes=minutes)
        scheduler.turn()
    keys = [event.data["key"] for event in log.read() if event.kind == "pipeline.queued"]
    every = [f"schedule:p:{(BEGIN + timedelta(minutes=m)).replace(tzinfo=None).isoformat()}Z" for m in range(10, 131, 10)]
    assert len(keys) == len(set(keys))
    assert keys == (every if catch_up == "all" else [every[1], every[2], every[11], every[12]])


@pytest.mark.parametrize("hours", [-1, 1, 24 * 365])
def test_leases_do_not_look_at_the_clock_that_is_set(hours: int, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    queue = DatabaseRunQueue(database)
    queue.submit(RunRequest("r1", "p", "/project"))
    mine, other = Worker("elsewhere/1/1", "elsewhere"), Worker("elsewhere/2/2", "elsewhere")
    lease = queue.claim(mine)
    assert lease is not None
    leaders = DatabaseLeadership(database, seconds=30)
    assert leaders.lead("scheduler", mine)
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + hours * 3600)
    assert queue.reap(other, resume=True) == []
    assert not leaders.lead("scheduler", other)
    assert not queue.renew(lease)
