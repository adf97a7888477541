"""The scheduler: ticks, files that arrive, pipelines behind pipelines; each asked for once, whoever asks and however often."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from headrace import bootstrap
from headrace.application.orchestrator.queue import RunRequest, keep
from headrace.application.orchestrator.scheduler import Scheduler
from headrace.bus.events import PipelineCompletedEvent
from headrace.business.model.definition import Loaded
from headrace.infrastructure.storage.event_log import EventLog
from headrace.infrastructure.storage.run_queue import DatabaseRunQueue
from headrace.infrastructure.storage.service_records import DatabaseServiceRecords

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class World:
    """A scheduler with a clock that tests set, and one definition."""

    def __init__(self, project: Path, extra: str, name: str = "p") -> None:
        self.project, self.now = project, START
        text = f"pipeline: {name}\nsources: {{rows: {{file: {{path: in.csv}}}}}}\nsinks: [{{file: {{path: out.csv}}}}]\n{extra}"
        file = project / f"{name}.yaml"
        file.write_text(text)
        self.loaded = bootstrap.load(file)
        self.database = bootstrap.database(project)
        self.queue, self.log = DatabaseRunQueue(self.database), EventLog(self.database)
        self.kept = keep(text, name, project, file)
        self.scheduler = self.another()

    def another(self) -> Scheduler:
        """A scheduler of another process, with the same records."""
        found: dict[str, Loaded] = {self.loaded.definition.pipeline: self.loaded}
        records = DatabaseServiceRecords(self.database)
        return Scheduler(self.queue, self.log, records, lambda: found, lambda _name: self.kept, lambda: self.now)

    def asked(self) -> list[str]:
        return [e.data["key"] for e in self.log.read(types=("pipeline.queued/1",))]


def test_each_tick_is_asked_for_once_by_however_many(tmp_path: Path) -> None:
    world = World(tmp_path, "schedule: {every: 10 minutes, catch_up: all}\n")
    other = world.another()
    world.scheduler.turn()
    for _ in range(6):
        world.now += timedelta(minutes=5)
        world.scheduler.turn()
        other.turn()
    assert world.asked() == [f"schedule:p:2026-03-01T12:{m}:00Z" for m in (10, 20, 30)]


@pytest.mark.parametrize(("policy", "expected"), [("all", 6), ("last", 1), ("none", 0)])
def test_ticks_that_came_while_nothing_ran_are_caught_up_with_as_the_policy_says(
    tmp_path: Path, policy: str, expected: int
) -> None:
    world = World(tmp_path, f"schedule: {{every: 10 minutes, catch_up: {policy}}}\n")
    world.scheduler.turn()
    world.now += timedelta(minutes=64)
    world.another().turn()
    assert len(world.asked()) == expected


def test_a_clock_that_steps_back_and_forth_neither_loses_nor_doubles_ticks(tmp_path: Path) -> None:
    world = World(tmp_path, "schedule: {every: 10 minutes, catch_up: all}\n")
    world.scheduler.turn()
    for step in (15, -40, 10, 35, -5, 20, -60, 75):
        world.now += timedelta(minutes=step)
        world.scheduler.turn()
    seen = [key.rpartition("T")[2] for key in world.asked()]
    assert seen == sorted(set(seen))
    assert seen == [f"12:{m:02d}:00Z" for m in (10, 20, 30, 40, 50)]


def test_a_scheduled_run_gets_the_tick_s_day_as_its_parameter(tmp_path: Path) -> None:
    world = World(
        tmp_path,
        "params: {day: {type: date, default: 2000-01-01}}\n"
        'schedule: {cron: "0 6 * * *", timezone: America/New_York, partition: {param: day, ago: 1 day}}\n',
    )
    world.scheduler.turn()
    world.now = datetime(2026, 3, 2, 11, 30, tzinfo=UTC)
    world.scheduler.turn()
    (event,) = world.log.read(types=("pipeline.queued/1",))
    assert str(event.data["params"]["day"]) == "2026-03-01"
    assert event.data["trigger"] == "schedule"


def test_new_and_changed_files_start_a_run_and_the_same_ones_none(tmp_path: Path) -> None:
    world = World(tmp_path, 'triggers: [{file: "incoming/*.csv"}]\n')
    folder = tmp_path / "incoming"
    folder.mkdir()
    world.scheduler.turn()
    assert world.asked() == []
    (folder / "a.csv").write_text("x\n1\n")
    (folder / ".part.csv").write_text("x\n")
    world.scheduler.turn()
    world.another().turn()
    assert len(world.asked()) == 1
    (folder / "b.csv").write_text("x\n1\n")
    world.scheduler.turn()
    (folder / "a.csv").write_text("x\n1\n2\n")
    world.scheduler.turn()
    world.scheduler.turn()
    assert len(world.asked()) == 3
    assert all(key.startswith("file:p:") for key in world.asked())


def test_a_pipeline_begins_behind_another_s_publication_once_and_knows_its_cause(tmp_path: Path) -> None:
    world = World(tmp_path, "triggers: [{pipeline: orders}]\n")
    world.scheduler.turn()
    world.log.append("r1", [PipelineCompletedEvent("r1", pipeline="orders")])
    world.log.append("r2", [PipelineCompletedEvent("r2", pipeline="orders", unchanged=True)])
    world.log.append("r3", [PipelineCompletedEvent("r3", pipeline="others")])
    for scheduler in (world.scheduler, world.another(), world.scheduler):
        scheduler.turn()
    (event,) = world.log.read(types=("pipeline.queued/1",))
    assert event.data["key"] == "pipeline:p:r1/1"
    assert (event.origin.correlation_id, event.origin.causation_id) == ("r1", "r1/1")


def test_what_was_published_before_the_first_look_starts_nothing(tmp_path: Path) -> None:
    world = World(tmp_path, "triggers: [{pipeline: orders}]\n")
    world.log.append("r1", [PipelineCompletedEvent("r1", pipeline="orders")])
    world.scheduler.turn()
    assert world.asked() == []


def test_an_asked_for_run_carries_what_its_definition_says(tmp_path: Path) -> None:
    world = World(
        tmp_path, "schedule: {every: 1 hour}\npriority: 7\nslots: {warehouse: 2}\nconcurrency: 3\ntimeout: 5 minutes\n"
    )
    world.scheduler.turn()
    world.now += timedelta(hours=1)
    world.scheduler.turn()
    (run,) = world.queue.outstanding()
    request = world.queue.request(run.run_id)
    assert isinstance(request, RunRequest)
    assert (request.priority, request.slots, request.concurrency, request.timeout_seconds) == (7, {"warehouse": 2}, 3, 300.0)
    assert request.definition == world.kept
