"""Asks for the runs that definitions want by themselves: at the ticks of their schedules, for files that arrive, behind other pipelines.

Each request has a key made of what it is for, so it does not matter how often or by how many it is made: there is one run of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from headrace.application.orchestrator.queue import KeptDefinition, RunQueue, RunRequest
from headrace.application.orchestrator.site import new_run_id
from headrace.bus.store import Envelope, EventStore, Origin
from headrace.business.model.definition import Definition, Loaded
from headrace.business.model.orchestration import Schedule
from headrace.business.scheduling.schedule import due, run_params, seen_up_to

#: The name of the scheduler's place in the log.
PLACE = "triggers"
_COMPLETED = "pipeline.completed/1"


class ScheduleRecords(Protocol):
    """How far schedules and triggers have come."""

    def last_tick(self, pipeline: str) -> datetime | None: ...

    def come_to(self, pipeline: str, tick: datetime) -> None: ...

    def seen(self, pipeline: str) -> Mapping[str, str] | None: ...

    def have_seen(self, pipeline: str, files: Mapping[str, str]) -> None: ...

    def position(self, name: str) -> int | None: ...

    def move_to(self, name: str, position: int) -> None: ...


@dataclass
class Scheduler:
    """Looks at the clock, at folders and at the log. To be called by the leader only, though more would do no harm."""

    queue: RunQueue
    store: EventStore
    records: ScheduleRecords
    definitions: Callable[[], Mapping[str, Loaded]]
    kept: Callable[[str], KeptDefinition | None]
    now: Callable[[], datetime]
    told: Callable[[str], None] = lambda _line: None

    def turn(self) -> None:
        """One look at everything."""
        definitions = self.definitions()
        for name, loaded in definitions.items():
            if loaded.definition.schedule is not None:
                self._tick(name, loaded, loaded.definition.schedule)
            if any(t.file for t in loaded.definition.triggers):
                self._look_for_files(name, loaded)
        self._follow(definitions)

    def _tick(self, pipeline: str, loaded: Loaded, schedule: Schedule) -> None:
        last, now = self.records.last_tick(pipeline), self.now()
        ticks = due(schedule, last, now)
        for tick in ticks:
            params = run_params(schedule, tick, loaded.definition.params)
            self._ask(loaded, "schedule", tick.key(pipeline), params, Origin(actor=f"schedule {pipeline}"))
        reached = seen_up_to(ticks, last, now)
        if ticks or last is None or (reached - last).total_seconds() > 60:
            self.records.come_to(pipeline, reached)

    def _look_for_files(self, pipeline: str, loaded: Loaded) -> None:
        seen = self.records.seen(pipeline)
        now_there: dict[str, str] = {}
        for trigger in loaded.definition.triggers:
            if trigger.file is None:
                continue
            there = _files(loaded.project, trigger.file)
            now_there |= there
            fresh = {path: what for path, what in there.items() if (seen or {}).get(path) != what}
            if fresh:
                key = f"file:{pipeline}:{_digest(sorted(fresh.items()))}"
                self._ask(loaded, "file", key, dict(trigger.params), Origin(actor=f"file {sorted(fresh)[0]}"))
        if now_there != seen:
            self.records.have_seen(pipeline, now_there)

    def _follow(self, definitions: Mapping[str, Loaded]) -> None:
        """The pipelines that begin when another has published something, from where the log was last looked at."""
        position = self.records.position(PLACE)
        if position is None:
            self.records.move_to(PLACE, self.store.last())
            return
        reached = position
        for event in self.store.read(after=position, types=(_COMPLETED,)):
            reached = event.position
            if not event.data["unchanged"]:
                self._behind(event, definitions)
        if reached != position:
            self.records.move_to(PLACE, reached)

    def _behind(self, event: Envelope, definitions: Mapping[str, Loaded]) -> None:
        for name, loaded in definitions.items():
            for trigger in loaded.definition.triggers:
                if trigger.pipeline == event.data["pipeline"]:
                    cause = Origin(f"pipeline {trigger.pipeline}", event.origin.correlation_id or event.stream, event.id)
                    self._ask(loaded, "pipeline", f"pipeline:{name}:{event.id}", dict(trigger.params), cause)

    def _ask(self, loaded: Loaded, trigger: str, key: str, params: Mapping[str, Any], origin: Origin) -> None:
        definition = loaded.definition
        request = request_for(definition, loaded.project, self.kept(definition.pipeline), params, trigger, key, origin)
        run_id = self.queue.submit(request)
        if run_id == request.run_id:
            self.told(f"run {run_id} of {definition.pipeline}: {key}")


def request_for(
    definition: Definition,
    project: Path,
    kept: KeptDefinition | None,
    params: Mapping[str, Any],
    trigger: str,
    key: str | None,
    origin: Origin,
) -> RunRequest:
    """A run of a definition that any worker may carry out."""
    return RunRequest(
        new_run_id(),
        definition.pipeline,
        str(project.resolve()),
        definition=kept,
        params=params,
        trigger=trigger,
        priority=definition.priority,
        key=key,
        slots=definition.slots,
        concurrency=definition.concurrency,
        timeout_seconds=definition.timeout.total_seconds() if definition.timeout else None,
        origin=origin,
    )


def _files(project: Path, pattern: str) -> dict[str, str]:
    """The files that are there, each with its size and the time of its last change."""
    found: dict[str, str] = {}
    for path in sorted(project.glob(pattern)):
        if path.is_file() and not path.name.startswith("."):
            stat = path.stat()
            found[path.relative_to(project).as_posix()] = f"{stat.st_size}:{stat.st_mtime_ns}"
    return found


def _digest(parts: Any) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]
