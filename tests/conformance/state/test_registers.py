"""What is kept beside the queue: pauses, backfills, workers, on every database."""

from __future__ import annotations

from dataclasses import replace

from tests.conformance.state.test_run_queue import ME, asked

from headrace.application.orchestrator.backfills import KnownBackfill
from headrace.infrastructure.storage.backfill_register import DatabaseBackfills
from headrace.infrastructure.storage.database import Database
from headrace.infrastructure.storage.pause_list import DatabasePauses
from headrace.infrastructure.storage.run_queue import DatabaseRunQueue
from headrace.infrastructure.storage.worker_registry import DatabaseWorkers


def test_a_pipeline_is_paused_once_and_resumed_once(database: Database) -> None:
    pauses = DatabasePauses(database)
    assert (pauses.paused(), pauses.last_ticks()) == ({}, {})
    assert [pauses.pause("p", "ada"), pauses.pause("p", "grace")] == [True, False]
    assert {name: paused.by for name, paused in pauses.paused().items()} == {"p": "ada"}
    assert [pauses.resume("p"), pauses.resume("p")] == [True, False]
    assert pauses.paused() == {}


def test_how_far_schedules_have_come(database: Database) -> None:
    insert = "insert into schedules (pipeline, last_tick) values (:pipeline, :last)"
    for pipeline, last in (("p", "2024-01-01T06:00:00+00:00"), ("q", None)):
        database.write(lambda db, values={"pipeline": pipeline, "last": last}: db.run(insert, values))  # type: ignore[misc]
    assert DatabasePauses(database).last_ticks() == {"p": "2024-01-01T06:00:00+00:00"}


def test_a_backfill_is_kept_once_and_knows_its_runs(database: Database) -> None:
    register, queue = DatabaseBackfills(database), DatabaseRunQueue(database)
    assert register.all() == []
    keys = {day: f"backfill:p:b_1%:day={day}" for day in ("1", "2")}
    known = KnownBackfill("b_1%", "p", "day", "day=1..2", keys, {"country": "NO"})
    for asked_for in (known, replace(known, asked="something else")):
        register.keep(asked_for)
    (kept,) = register.all()
    assert replace(kept, at="") == known
    assert register.runs(kept) == {}
    queue.submit(asked("r2", key=keys["2"]))
    queue.submit(asked("r3", key="backfill:p:bx1%:day=1"))
    assert register.runs(kept) == {"2": "r2"}


def test_workers_are_there_for_a_lease_and_commands_for_their_run(database: Database) -> None:
    workers, queue = DatabaseWorkers(database), DatabaseRunQueue(database)
    workers.heard(replace(ME, name="elsewhere/1/1", host="elsewhere"), "worker")
    workers.heard(replace(ME, name="elsewhere/2/2", host="elsewhere", lease_seconds=-1.0), "worker")
    assert {w.worker: w.alive for w in workers.all()} == {"elsewhere/1/1": True, "elsewhere/2/2": False}
    workers.gone(replace(ME, name="elsewhere/1/1"))
    queue.submit(asked("r1"))
    assert queue.claim(ME) is not None
    assert {w.worker: (w.role, w.alive) for w in workers.all() if w.role == "command"} == {ME.name: ("command", True)}
    assert not workers.any_alive(), "a command goes on with nobody's run but its own"
