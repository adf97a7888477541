"""Names say what is inside: no drawers, no generations side by side, and three public faces with the documented names only."""

from __future__ import annotations

import pytest

import headrace
import headrace.face
import headrace.orchestration
import headrace.plugin

DRAWERS = {"utils", "util", "helpers", "helper", "common", "base", "misc", "manager", "context", "tools", "shared", "core"}

#: What the faces show. A name more or less is a promise more or less to people outside: change it on purpose, here too.
FACE = {"Pipeline", "check", "contract", "plan", "run", "sink", "source", "step"}
PLUGIN = {
    *("Answer", "Batch", "Column", "Connection", "Duration", "Misworded", "Position", "Relation", "Schema", "Sql"),
    *("Plugin", "Source", "Scannable", "Step", "Check", "Measured", "Verdict", "Sink"),
    *("Publisher", "Publication", "Readable", "Movable", "Checkpoint", "Staged", "Fence", "Fenced"),
    *("DefinitionError", "LeaseLost", "NonRetryableError", "Problem", "Profile", "RetryableError"),
}
ORCHESTRATION = {
    *("Config", "PipelineOrchestrator", "ExecutionResult", "ELTPipeline", "ETLPipeline", "EventBus", "event_bus"),
    *("PipelineStartedEvent", "PipelineCompletedEvent", "PipelineFailedEvent", "PipelineCancelledEvent", "QualityCheckEvent"),
    *("DataIngestedEvent", "DataProcessedEvent", "DataStagedEvent", "DataStoredEvent", "DataValidatedEvent"),
    *("CircuitBreaker", "CircuitBreakerOpenError"),
    *("NonRetryableError", "RetryPolicy", "RetryableError", "execute_with_retry"),
}


def test_no_room_is_a_drawer(rooms):
    words = {r.name: set(r.path.stem.split("_")) | set(r.path.parent.name.split("_")) for r in rooms}
    assert {name: found for name, all_words in words.items() if (found := all_words & DRAWERS)} == {}


def test_no_class_or_function_is_a_second_generation(rooms):
    names = {f"{r.name}:{n.name}" for r in rooms for n in (*r.functions(), *r.classes())}
    assert {n for n in names if n.endswith(("_v2", "V2", "_legacy", "Impl"))} == set()


def test_no_class_is_a_manager(rooms):
    names = {f"{r.name}:{c.name}" for r in rooms for c in r.classes()}
    assert {n for n in names if n.endswith(("Manager", "Helper", "Util", "Utils", "Context", "Base"))} == set()


def test_the_face_for_pipelines_shows_the_documented_names():
    assert set(headrace.face.__all__) == FACE
    assert all(hasattr(headrace.face, name) for name in FACE)


def test_the_package_is_a_lazy_door_to_the_same_names():
    assert set(dir(headrace)) == FACE
    assert all(getattr(headrace, name) is getattr(headrace.face, name) for name in FACE)


def test_the_face_for_plugins_shows_the_documented_names():
    assert set(headrace.plugin.__all__) == PLUGIN
    assert all(hasattr(headrace.plugin, name) for name in PLUGIN)


def test_the_face_for_orchestration_shows_the_documented_names():
    assert set(dir(headrace.orchestration)) == set(headrace.orchestration.__all__) == ORCHESTRATION
    assert {n: getattr(headrace.orchestration, n).__name__ for n in ORCHESTRATION} == {n: n for n in ORCHESTRATION}


def test_a_face_has_no_other_names():
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        _ = headrace.orchestration.nothing_of_the_kind
