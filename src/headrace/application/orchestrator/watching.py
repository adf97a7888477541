"""What follows from a look at a pipeline: which troubles begin or are over, and what is to be told of it. Pure; not when anybody looks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from headrace.application.orchestrator.message import facts_of
from headrace.application.queries.outcomes import Ended
from headrace.business.model.definition import Definition
from headrace.business.model.orchestration import Schedule
from headrace.business.scheduling.alerts import Alert, Change, RunFacts, changes
from headrace.business.scheduling.schedule import Tick, deadline, next_ticks, tick_of


@dataclass(frozen=True, slots=True)
class Opened:
    """When a trouble began, and the stream that says so."""

    at: datetime
    stream: str


@dataclass(frozen=True, slots=True)
class Watch:
    """How far the notifications of a pipeline have come."""

    position: int
    covered: datetime | None = None
    """The latest tick that has its results, or when the schedule was first looked at."""
    schedule: str = ""
    """The schedule for which that counts."""
    alerts: Mapping[Alert, Opened] = field(default_factory=dict)
    history: Sequence[RunFacts] = ()
    """What became of the last runs, the oldest first."""
    paused: bool = False

    @property
    def is_late(self) -> bool:
        return any(alert.kind == "late" for alert in self.alerts)


@dataclass(frozen=True, slots=True)
class Overdue:
    """A tick, and when its results have to be published, or had to be."""

    tick: Tick
    due_by: datetime


@dataclass(frozen=True, slots=True)
class Told:
    """A message that is to be sent, without its id."""

    notification: str
    channel: str
    alert: str
    change: str
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Decision:
    """What follows from a look; put into effect as a whole or not at all."""

    position: int
    covered: datetime | None
    schedule: str
    at: datetime
    stream: str
    """The run that it is about; or the key of its request, where only that is known; or nothing."""
    outcome: RunFacts | None = None
    changed: Sequence[Change] = ()
    told: Sequence[Told] = ()


def decide(definition: Definition, watch: Watch, ended: Ended | None, now: datetime) -> Decision | None:
    """After a run that ended, or without one because time went by. None when that run was looked at before."""
    if ended is not None and ended.position <= watch.position:
        return None
    name, schedule = definition.pipeline, definition.schedule
    outcome = ended.facts if ended is not None and ended.run.state != "cancelled" else None
    history = (*watch.history, outcome) if outcome is not None else watch.history
    covered = _covered(schedule, watch, ended, now)
    due = next_due(schedule, covered)
    overdue = due if due is not None and due.due_by < now else None
    # Nobody expects results of a pipeline that is paused, and nobody has them either: what is late stays so.
    late = watch.is_late if watch.paused else overdue is not None
    changed = [
        change
        for change in changes(definition.notify, history, watch.alerts.keys(), overdue=late)
        if ended is not None or change.alert.kind == "late"
    ]
    channels = {str(n.name): n.way for n in definition.notify}
    told = []
    for change in changed:
        if change.told:
            opened = watch.alerts[change.alert].at if change.alert in watch.alerts else now
            tick = (overdue.tick, overdue.due_by) if overdue is not None else None
            facts = facts_of(name, change, opened, now, ended, tick)
            notification = change.alert.notification
            told.append(
                Told(
                    notification, channels[notification], change.alert.key(name), "opened" if change.opened else "closed", facts
                )
            )
    stream = ended.run.id if ended is not None else overdue.tick.key(name) if overdue is not None else ""
    position = ended.position if ended is not None else watch.position
    return Decision(position, covered, schedule_text(schedule), now, stream, outcome, changed, told)


def next_due(schedule: Schedule | None, covered: datetime | None) -> Overdue | None:
    """The first tick without results, and its deadline; None if nothing is promised."""
    if schedule is None or schedule.expect_within is None or covered is None:
        return None
    for tick in next_ticks(schedule, covered, 1):
        due_by = deadline(schedule, tick)
        return Overdue(tick, due_by) if due_by is not None else None
    return None


def schedule_text(schedule: Schedule | None) -> str:
    """By this a schedule is known again."""
    return schedule.model_dump_json(exclude_defaults=True) if schedule is not None else ""


def _covered(schedule: Schedule | None, watch: Watch, ended: Ended | None, now: datetime) -> datetime | None:
    """The latest tick with results. A run that no tick asked for makes good for the ticks before it began, unless each tick is about
    a part of the data of its own."""
    if schedule is None:
        return None
    if watch.covered is None or watch.schedule != schedule_text(schedule):
        return now if watch.covered is None else max(watch.covered, now)
    if ended is None or ended.run.state != "succeeded":
        return watch.covered
    reached = tick_of(ended.key, ended.run.pipeline) if ended.key is not None else None
    if reached is None and schedule.partition is None:
        reached = ended.run.started_at
    return watch.covered if reached is None else max(watch.covered, reached)
