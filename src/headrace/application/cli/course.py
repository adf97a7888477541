"""Where a run stands: who asked for it, who carried it out, what it waits for, what lies ready. Not its rows (see `summary`)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from headrace.application.cli.console import number, paint, size
from headrace.application.cli.event_lines import in_words
from headrace.application.orchestrator.pauses import Pauses
from headrace.application.orchestrator.site import Site
from headrace.application.queries.runs import RunView
from headrace.business.model.run import ENDED


@dataclass(slots=True)
class Course:
    """`attempts` are the workers that took the run, in order, `turns` what happened to it from the outside."""

    asked_by: str = ""
    waits_for: str = ""
    until: str | None = None
    attempts: list[dict[str, object]] = field(default_factory=list)
    turns: list[tuple[datetime, str]] = field(default_factory=list)


#: What is told elsewhere, or is not from the outside.
_INSIDE = ("pipeline.queued", "pipeline.started", "pipeline.completed", "pipeline.failed")


def course_of(site: Site, pauses: Pauses, run: RunView) -> Course:
    """The course of a run, from its events and the queue."""
    course = Course()
    for event in site.bus.store.read(run.id):
        if event.kind == "pipeline.queued":
            course.asked_by = event.origin.actor
        elif event.kind == "pipeline.claimed":
            course.attempts.append({"worker": event.data["worker"], "at": event.at, "attempt": event.data["attempt"]})
        elif event.kind == "pipeline.waiting":
            course.until = event.data["until"]
        if event.kind.startswith("pipeline.") and event.kind not in _INSIDE:
            course.turns.append((event.at, in_words(event)))
    if run.state in ("queued", "waiting"):
        course.waits_for = _why(site, pauses, run)
    if run.state != "waiting":
        course.until = None
    return course


def _why(site: Site, pauses: Pauses, run: RunView) -> str:
    """Why a run waits: what the queue has told, or what can be seen before anybody has looked at it."""
    if run.pipeline in pauses.paused():
        return f"pipeline `{run.pipeline}` is paused: `headrace schedule resume {run.pipeline}` lets it go on"
    if not site.workers.any_alive():
        told = f"{run.reason}; and " if run.reason else ""
        return f"{told}no worker is there: start one with `headrace worker` or `headrace serve`"
    return run.reason or "a worker that is free"


def course_lines(run: RunView, course: Course) -> Iterator[str]:
    state = (
        run.state + (f": {course.waits_for}" if course.waits_for else "") + (f", until {course.until}" if course.until else "")
    )
    yield _line("state", state)
    asker = f" ({course.asked_by})" if course.asked_by else ""
    if run.queued_at:
        yield _line("asked for", f"{run.queued_at:%Y-%m-%d %H:%M:%S} by {run.trigger}{asker}, priority {run.priority}")
    if run.params:
        yield _line("params", ", ".join(f"{name}={value}" for name, value in run.params.items()))
    for taken in course.attempts:
        yield _line(f"attempt {taken['attempt']}", f"{taken['at']:%Y-%m-%d %H:%M:%S} by {taken['worker']}")
    if run.retries:
        yield _line("retries", f"{len(run.retries)}, the last of {run.retries[-1]['step']}: {run.retries[-1]['message']}")
    for name, staged in run.staged.items() if run.state not in ENDED or run.error else ():
        yield _line("staged", f"{name}: {number(staged['rows'])} rows, {size(staged['bytes'])}")
    for at, what in course.turns:
        yield paint(f"  {at:%H:%M:%S}  {what}", "dim")


def _line(what: str, text: str) -> str:
    return f"  {paint(f'{what:<10}', 'bold')} {text}"
