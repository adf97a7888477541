"""Runs as people see them: the fold of a run's events. Not how a run is carried out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from headrace.bus.store import Envelope
from headrace.business.model.run import AFTER
from headrace.business.model.schema import did_you_mean
from headrace.errors import UsageError

#: How many of the latest retries of a run are shown: a stream may have had any number.
_RETRIES = 100

#: The kind of error of a run whose process was gone before it said how it ended.
PROCESS_DIED = "ProcessDied"


@dataclass(slots=True)
class RunView:
    """A run, with what is known of it so far."""

    id: str
    pipeline: str = ""
    state: str = ""
    reason: str = ""
    """Why it waits, while it does."""
    trigger: str = ""
    priority: int = 0
    worker: str = ""
    attempt: int = 0
    unchanged: bool = False
    """Whether it succeeded without doing anything: all of it had been published before."""
    queued_at: datetime | None = None
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
    retries: list[Mapping[str, Any]] = field(default_factory=list)
    stream: Mapping[str, Any] = field(default_factory=dict)
    """Of a stream: how it stood when it was last looked at (see `StreamProgressedEvent`)."""
    error: Mapping[str, Any] | None = None
    events: int = 0
    """How many events it has."""

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
        apply(run, event)
    return run


def apply(run: RunView, event: Envelope) -> None:
    """Let one more event change what is known of a run."""
    data = dict(event.data)
    kind = event.kind
    run.events = event.number
    following = AFTER.get(kind, run.state)
    if not (kind == "pipeline.started" and run.state == "cancelling"):
        run.state = following
    if kind.startswith("pipeline."):
        _apply_to_life(run, kind, data, event.at)
    match kind:
        case "data.ingested" | "data.validated":
            run.sources.setdefault(data["dataset"], {}).update(data)
        case "data.processed":
            run.steps[data["step"]] = data
        case "data.staged":
            run.staged[data["dataset"]] = data
        case "quality.checked":
            run.checks = [c for c in run.checks if c["check"] != data["check"]] + [data]
        case "data.stored":
            run.sinks[data["sink"]] = data
        case "stream.progressed":
            run.stream = {**data, "at": event.at.isoformat()}
        case "pipeline.overtaken":
            for found in (run.sources, run.steps, run.staged, run.checks):
                found.clear()


def _apply_to_life(run: RunView, kind: str, data: dict[str, Any], at: datetime) -> None:
    match kind:
        case "pipeline.queued":
            run.pipeline, run.queued_at, run.trigger = data["pipeline"], at, data["trigger"]
            run.priority, run.params = data["priority"], data["params"]
        case "pipeline.waiting":
            run.reason = data["reason"]
        case "pipeline.lease_lost":
            run.reason = f"taken from a worker that was lost: {data['why']}"
        case "pipeline.claimed":
            run.worker, run.attempt, run.reason = data["worker"], data["attempt"], ""
        case "pipeline.started":
            run.pipeline, run.started_at, run.fingerprint = data["pipeline"], run.started_at or at, data["fingerprint"]
            run.params, run.definition, run.graph = data["params"], data["definition"], list(data["graph"])
            run.trigger = run.trigger or data["trigger"]
        case "pipeline.reopened":
            _reopen(run, data["how"])
        case "pipeline.retried":
            run.retries = [*run.retries[1 - _RETRIES :], data]
        case "pipeline.completed":
            run.ended_at, run.seconds, run.error, run.unchanged = at, data["seconds"], None, data["unchanged"]
        case "pipeline.failed":
            run.ended_at, run.seconds, run.error = at, data["seconds"], data
        case "pipeline.cancelled":
            run.ended_at, run.seconds = at, data["seconds"]


def _reopen(run: RunView, how: str) -> None:
    """What ended it counts no more; nor does what it did, when it is to begin from the start."""
    run.error, run.ended_at, run.seconds = None, None, None
    if how == "retried":
        for found in (run.sources, run.steps, run.staged, run.checks, run.sinks, run.retries):
            found.clear()


class RunTable(Protocol):
    """The runs of a project as a table, brought up to date before each answer."""

    def runs(self, pipeline: str | None = None, begins: str = "", limit: int | None = None) -> Sequence[RunView]:
        """Runs whose id begins so, the latest first."""
        ...

    def ids(self, pipeline: str | None = None) -> Sequence[str]:
        """The ids of runs, the latest first."""
        ...


class KnowsRuns(Protocol):
    """Whatever has that table."""

    @property
    def views(self) -> RunTable: ...


def all_runs(records: KnowsRuns, pipeline: str | None = None, limit: int | None = None) -> Sequence[RunView]:
    """Every run of the project or of a pipeline, the latest first."""
    return records.views.runs(pipeline, limit=limit)


def find_run(records: KnowsRuns, wanted: str | None, pipeline: str | None = None) -> RunView:
    """The run of that id, or of the only id that begins so, or the latest. Raises `UsageError`."""
    if wanted in (None, "", "last", "latest"):
        latest = records.views.runs(pipeline, limit=1)
        if not latest:
            raise UsageError("there are no runs yet", hint="start one with `headrace run FILE`")
        return latest[0]
    found = records.views.runs(pipeline, str(wanted), limit=6)
    if len(found) == 1:
        return found[0]
    if not found:
        raise UsageError(f"there is no run `{wanted}`", hint=did_you_mean(str(wanted), records.views.ids(pipeline)))
    raise UsageError(
        f"several runs begin with `{wanted}`", hint="give more of the id: " + ", ".join(run.id for run in found[:5])
    )
