"""Runs as people see them: the fold of a run's events. Not how a run is carried out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from headrace.bus.store import Envelope, EventStore
from headrace.business.model.schema import did_you_mean
from headrace.errors import UsageError

#: The kind of error of a run whose process was gone before it said how it ended.
PROCESS_DIED = "ProcessDied"


@dataclass(slots=True)
class RunView:
    """A run, with what is known of it so far."""

    id: str
    pipeline: str = ""
    state: str = "running"
    started_at: datetime | None = None
    ended_at: datetime | None = None
    seconds: float | None = None
    fingerprint: str = ""
    definition: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    graph: list[Mapping[str, Any]] = field(default_factory=list)
    sources: dict[str, dict[str, Any]] = field(default_factory=dict)
    steps: dict[str, dict[str, Any]] = field(default_factory=dict)
    staged: dict[str, dict[str, Any]] = field(default_factory=dict)
    checks: list[Mapping[str, Any]] = field(default_factory=list)
    sinks: dict[str, dict[str, Any]] = field(default_factory=dict)
    error: Mapping[str, Any] | None = None

    @property
    def unchanged(self) -> bool:
        return self.state == "unchanged"

    @property
    def read(self) -> int:
        return sum(s.get("read", 0) for s in self.sources.values())

    @property
    def quarantined(self) -> int:
        return sum(s.get("quarantined", 0) for s in self.sources.values())

    @property
    def written(self) -> int:
        return sum(s.get("rows", 0) for s in self.sinks.values() if not s.get("already"))

    def rows(self, dataset: str) -> int | None:
        """The rows that flow out of a source or step, where they are known."""
        if dataset in self.sources:
            found = self.sources[dataset].get("good")
        else:
            found = (self.steps.get(dataset) or self.staged.get(dataset) or {}).get("rows")
        return int(found) if found is not None else None


def fold(run_id: str, events: Iterable[Envelope]) -> RunView:
    """The state of a run after these events."""
    run = RunView(run_id)
    for event in events:
        _apply(run, event)
    return run


def _apply(run: RunView, event: Envelope) -> None:
    data = dict(event.data)
    match event.type.partition("/")[0]:
        case "pipeline.started":
            run.pipeline, run.started_at, run.fingerprint = data["pipeline"], event.at, data["fingerprint"]
            run.params, run.definition, run.graph = data["params"], data["definition"], list(data["graph"])
        case "data.ingested" | "data.validated":
            run.sources.setdefault(data["dataset"], {}).update(data)
        case "data.processed":
            run.steps[data["step"]] = data
        case "data.staged":
            run.staged[data["dataset"]] = data
        case "quality.checked":
            run.checks.append(data)
        case "data.stored":
            run.sinks[data["sink"]] = data
        case "pipeline.completed":
            run.state = "unchanged" if data["unchanged"] else "succeeded"
            run.ended_at, run.seconds, run.error = event.at, data["seconds"], None
        case "pipeline.failed":
            run.state, run.ended_at, run.seconds, run.error = "failed", event.at, data["seconds"], data
        case "pipeline.cancelled":
            run.state, run.ended_at, run.seconds = "cancelled", event.at, data["seconds"]


def all_runs(store: EventStore) -> list[RunView]:
    """Every run of the project, the latest first."""
    runs: dict[str, RunView] = {}
    for event in store.read():
        _apply(runs.setdefault(event.stream, RunView(event.stream)), event)
    return [run for run in reversed(runs.values()) if run.pipeline]


def find_run(store: EventStore, wanted: str | None, pipeline: str | None = None) -> RunView:
    """The run of that id, or of the only id that begins so, or the latest. Raises `UsageError`."""
    runs = [run for run in all_runs(store) if pipeline is None or run.pipeline == pipeline]
    if wanted in (None, "", "last", "latest"):
        if not runs:
            raise UsageError("there are no runs yet", hint="start one with `headrace run FILE`")
        return runs[0]
    found = [run for run in runs if run.id.startswith(str(wanted))]
    if len(found) == 1:
        return found[0]
    if not found:
        raise UsageError(f"there is no run `{wanted}`", hint=did_you_mean(str(wanted), [run.id for run in runs]))
    raise UsageError(
        f"several runs begin with `{wanted}`", hint="give more of the id: " + ", ".join(run.id for run in found[:5])
    )
