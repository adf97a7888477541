"""Streams in service: begun once in each version, stopped for the next, and left as people have left them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from headrace import bootstrap
from headrace.application.orchestrator.queue import Lease, keep
from headrace.application.orchestrator.streams_in_service import StreamsInService
from headrace.bus.events import PipelineCancelledEvent, PipelineStartedEvent
from headrace.business.model.definition import Loaded
from headrace.infrastructure.storage.run_queue import DatabaseRunQueue

STREAM = (
    "pipeline: p\nsources: {{rows: {{rate: 5}}}}\nsinks: [{{file: {{path: out/, mode: append}}}}]\nstream: {every}\n{extra}"
)
BATCH = "pipeline: p\nsources: {rows: {file: in.csv}}\nsinks: [{file: out.csv}]\n"


class World:
    """A project with one definition, which changes."""

    def __init__(self, project: Path) -> None:
        self.project, self.told = project, list[str]()
        self.queue = DatabaseRunQueue(bootstrap.database(project))
        self.found: dict[str, Loaded] = {}
        self.text = ""
        self.service = StreamsInService(self.queue, lambda: self.found, self._kept, self.told.append)

    def _kept(self, name: str):  # type: ignore[no-untyped-def]
        return keep(self.text, name, self.project, self.project / "p.yaml")

    def write(self, text: str) -> None:
        self.text, file = text, self.project / "p.yaml"
        file.write_text(text)
        self.found = {"p": bootstrap.load(file)}

    def asked(self) -> list[tuple[str, str]]:
        return [(run.pipeline, run.state) for run in self.queue.outstanding()]

    def claimed(self) -> Lease:
        lease = self.queue.claim(bootstrap.site(self.project).worker)
        assert lease is not None
        self.queue.append(lease, [PipelineStartedEvent(lease.run_id, pipeline="p", fingerprint="f")])
        return lease

    def ended(self, lease: Lease) -> None:
        self.queue.append(lease, [PipelineCancelledEvent(lease.run_id, pipeline="p", seconds=1.0, why="")])


def test_each_version_is_begun_once_and_stopped_for_the_next(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.write(STREAM.format(every="1 second", extra=""))
    for _ in range(3):
        world.service.turn()
    assert world.asked() == [("p", "queued")]
    lease = world.claimed()
    world.service.turn()
    assert world.asked() == [("p", "running")]
    world.write(STREAM.format(every="2 seconds", extra=""))
    for _ in range(2):
        world.service.turn()
    assert world.asked() == [("p", "cancelling")]
    world.ended(lease)
    world.service.turn()
    assert world.asked() == [("p", "queued")]
    (run,) = world.queue.outstanding()
    request = world.queue.request(run.run_id)
    assert request is not None
    assert request.definition is not None
    assert "2 seconds" in request.definition.text
    assert any("new version" in line for line in world.told)


def test_what_people_have_stopped_stays_stopped_and_what_they_run_goes_on(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.write(STREAM.format(every="1 second", extra=""))
    world.service.turn()
    lease = world.claimed()
    world.queue.cancel(lease.run_id, "ada")
    world.ended(lease)
    world.service.turn()
    assert world.asked() == []
    world.queue.submit(replace(lease.request, run_id="by hand", key=None, trigger="command"))
    world.write(STREAM.format(every="3 seconds", extra=""))
    world.service.turn()
    assert world.asked() == [("p", "queued")]
    world.found = {}
    world.service.turn()
    assert world.asked() == [("p", "queued")], "a run of somebody's own goes on"


def test_a_stream_out_of_service_is_stopped_and_a_batch_is_none(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.write(STREAM.format(every="1 second", extra=""))
    world.service.turn()
    (tmp_path / "in.csv").write_text("a\n1\n")
    world.write(BATCH)
    world.service.turn()
    assert world.asked() == []
    world.service.turn()
    assert world.asked() == []


def test_a_stream_that_wants_a_parameter_is_told_of_once(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.write(STREAM.format(every="1 second", extra="params: {country: {type: string, default: NO}}\n"))
    world.service.turn()
    assert world.asked() == [("p", "queued")]
    other = World(tmp_path / "other")
    other.project.mkdir()
    other.text = STREAM.format(every="1 second", extra="params: {country: {type: string, required: true}}\n")
    file = other.project / "p.yaml"
    file.write_text(other.text)
    other.found = {"p": bootstrap.load(file, {"country": "NO"})}
    for _ in range(2):
        other.service.turn()
    assert other.asked() == []
    assert [line for line in other.told if "it wants `country`" in line] == other.told
    assert len(other.told) == 1
