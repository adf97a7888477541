"""The specification's orchestrator, run as it is written on our bus, and ours beside it; both tell the same story of a run."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path
from typing import Any

import pytest

from headrace.orchestration import (
    Config,
    EventBus,
    ExecutionResult,
    PipelineCompletedEvent,
    PipelineFailedEvent,
    PipelineOrchestrator,
    PipelineStartedEvent,
    event_bus,
)

BLOCK = Path(__file__).with_name("pipeline_orchestrator.py.txt")


def specified(steps: Any) -> type[Any]:
    """The specification's class, with the two methods that it leaves open."""
    names: dict[str, Any] = {
        "Config": Config, "EventBus": EventBus, "Dict": dict, "ExecutionResult": ExecutionResult, "uuid": uuid,
        "PipelineStartedEvent": PipelineStartedEvent, "PipelineCompletedEvent": PipelineCompletedEvent,
        "PipelineFailedEvent": PipelineFailedEvent,
    }  # fmt: skip
    exec(compile(BLOCK.read_text(encoding="utf-8"), str(BLOCK), "exec"), names)
    theirs = names["PipelineOrchestrator"]
    return type("Orchestrator", (theirs,), {"_initialize_components": lambda self: {}, "_execute_steps": steps})


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "in.csv").write_text("id,v\n1,a\n2,b\nx,c\n")
    return tmp_path


def definition(**more: Any) -> dict[str, Any]:
    return {
        "pipeline": "orders",
        "sources": {"rows": {"file": {"path": "in.csv"}, "contract": {"columns": {"id": "int64"}}}},
        "checks": [{"row_count": {"min": 1}}],
        "sinks": [{"name": "out", "file": {"path": "out.csv"}}],
        **more,
    }


def kinds(bus: EventBus) -> list[str]:
    return [event.kind for event in bus.store.read()]


def test_the_specified_class_works_as_it_is_written(project: Path) -> None:
    async def steps(_self: Any, config: dict[str, Any]) -> dict[str, Any]:
        return {"did": config["pipeline"]}

    bus = event_bus(project)
    heard: list[str] = []
    bus.subscribe([PipelineStartedEvent, PipelineCompletedEvent], lambda event: heard.append(event.type))
    result = asyncio.run(specified(steps)(Config(project), bus).execute({"pipeline": "orders"}))
    assert result == {"did": "orders"}
    assert heard == ["pipeline.started/1", "pipeline.completed/1"]
    started, completed = bus.store.read()
    assert (started.data["pipeline_config"], completed.data["result"]) == ({"pipeline": "orders"}, {"did": "orders"})
    assert started.stream == completed.stream


def test_the_specified_class_tells_of_failures(project: Path) -> None:
    async def steps(_self: Any, _config: dict[str, Any]) -> None:
        raise ValueError("no")

    bus = event_bus(project)
    with pytest.raises(ValueError, match="no"):
        asyncio.run(specified(steps)(Config(project), bus).execute({}))
    assert [e.data["message"] for e in bus.store.read() if e.kind == "pipeline.failed"] == ["no"]


def test_ours_runs_a_definition_and_tells_the_whole_story(project: Path) -> None:
    bus = event_bus(project)
    heard: list[str] = []

    async def slow(event: Any) -> None:
        await asyncio.sleep(0)
        heard.append(event.kind)

    bus.subscribe((), slow)
    orchestrator = PipelineOrchestrator(Config(project), bus)
    result = asyncio.run(orchestrator.execute(definition()))
    assert (result.state, result.rows_read, result.rows_written, result.rows_quarantined) == ("succeeded", 3, 2, 1)
    assert result.checks == {"row_count": "pass"}
    assert heard == kinds(bus)
    assert [k for k in heard if k.startswith("pipeline.")] == [
        "pipeline.queued", "pipeline.claimed", "pipeline.started", "pipeline.completed",
    ]  # fmt: skip
    assert {e.stream for e in bus.store.read()} == {result.pipeline_id}
    again = asyncio.run(orchestrator.execute(definition()))
    assert (again.unchanged, again.rows_written) == (True, 0)


def test_ours_raises_what_ended_a_run_and_has_told_of_it(project: Path) -> None:
    from headrace.errors import AuditFailed

    bus = event_bus(project)
    with pytest.raises(AuditFailed):
        asyncio.run(PipelineOrchestrator(Config(project), bus).execute(definition(checks=[{"row_count": {"min": 99}}])))
    assert kinds(bus)[-1] == "pipeline.failed"
    assert not (project / "out.csv").exists()


def test_several_runs_go_on_beside_each_other(project: Path) -> None:
    bus = event_bus(project)
    orchestrator = PipelineOrchestrator(Config(project), bus)

    async def all_of_them() -> list[ExecutionResult]:
        wanted = [definition(pipeline=f"p{i}", sinks=[{"file": {"path": f"out{i}.csv"}}]) for i in range(4)]
        return list(await asyncio.gather(*map(orchestrator.execute, wanted)))

    assert [r.rows_written for r in asyncio.run(all_of_them())] == [2, 2, 2, 2]


def test_who_stops_waiting_stops_the_run(project: Path) -> None:
    """The source yields for ever; nothing but the wish to stop ends it."""
    (project / "endless.py").write_text("import itertools\ndef rows():\n    return ({'id': n} for n in itertools.count())\n")
    endless = definition(sources={"rows": {"python": {"call": "endless.py:rows", "schema": {"id": "int64"}}}}, checks=[])
    bus = event_bus(project)
    begun = asyncio.Event()

    async def stop() -> None:
        loop = asyncio.get_running_loop()
        bus.subscribe(PipelineStartedEvent, lambda _event: loop.call_soon_threadsafe(begun.set) and None)
        task = asyncio.create_task(PipelineOrchestrator(Config(project), bus).execute(endless))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(stop())
    assert kinds(bus)[-1] == "pipeline.cancelled"
