"""`headrace schedule`: what runs by itself, when next, and what is paused. It lets no tick come about (see `orchestrator.scheduler`)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from headrace.application.cli.console import paint, say, say_json, table, warn
from headrace.application.cli.system import System
from headrace.application.orchestrator.pauses import Paused
from headrace.application.queries.runs import all_runs
from headrace.business.model.definition import Definition
from headrace.business.model.durations import format_duration
from headrace.business.model.schema import did_you_mean
from headrace.business.scheduling.schedule import next_ticks
from headrace.errors import DefinitionError, UsageError
from headrace.records import record

#: The role of the processes that let things run by themselves.
_SERVES = "serve"


@record
class Line:
    """A definition, with when it runs by itself. `version` is the one in service, `problems` are those of its file as it is now."""

    pipeline: str
    file: str
    rhythm: str = ""
    timezone: str = ""
    triggers: list[str] = field(default_factory=list)
    next_ticks: list[str] = field(default_factory=list)
    last_tick: str | None = None
    paused: Paused | None = None
    version: str | None = None
    problems: list[str] = field(default_factory=list)


def list_schedules(system: System, project: Path, *, as_json: bool) -> None:
    pauses, now = system.pauses(project), datetime.now(UTC)
    paused, last = pauses.paused(), pauses.last_ticks()
    serving = any(worker.alive and worker.role == _SERVES for worker in system.site(project).workers.all())
    lines: list[Line] = []
    for bare, definition in _in_service(system, project) if serving else _in_folder(system, project):
        name = bare.pipeline
        if definition is not None and (name in paused or definition.schedule or definition.triggers):
            lines.append(replace(_line(bare, definition, now), last_tick=last.get(name), paused=paused.get(name)))
        elif bare.problems:
            lines.append(bare)
    known = {line.pipeline for line in lines}
    lines += [Line(name, "", last_tick=last.get(name), paused=by) for name, by in paused.items() if name not in known]
    if as_json:
        say_json([asdict(line) for line in lines])
        return
    _print(lines)
    if not serving:
        warn("nobody serves, so nothing runs by itself: this is what `headrace serve` would take into service")


def _in_service(system: System, project: Path) -> Iterator[tuple[Line, Definition | None]]:
    """What those who serve go by, whatever the files say by now."""
    for seen, held in system.in_service(project):
        problems = seen.problem.splitlines()
        if isinstance(held, DefinitionError):
            yield Line(seen.pipeline, seen.file, problems=[*problems, *map(str, held.problems)]), None
        else:
            line = Line(seen.pipeline, seen.file, version=seen.definition or None, problems=problems)
            yield line, held.definition if held is not None else None


def _in_folder(system: System, project: Path) -> Iterator[tuple[Line, Definition | None]]:
    """What there would be to go by."""
    for file, found in system.definitions(project):
        if isinstance(found, DefinitionError):
            yield Line("", str(file), problems=[str(problem) for problem in found.problems]), None
        else:
            yield Line(found.definition.pipeline, str(file)), found.definition


def _line(bare: Line, definition: Definition, now: datetime) -> Line:
    schedule, rhythm, ticks = definition.schedule, "", []
    if schedule is not None:
        rhythm = f"cron {schedule.cron}" if schedule.cron else f"every {format_duration(schedule.every or timedelta())}"
        ticks = [tick.at.isoformat() for tick in next_ticks(schedule, now)]
    triggers = [f"file {t.file}" if t.file else f"pipeline {t.pipeline}" for t in definition.triggers]
    zone = schedule.timezone if schedule else ""
    return replace(bare, rhythm=rhythm, timezone=zone, triggers=triggers, next_ticks=ticks)


def _print(lines: list[Line]) -> None:
    sound = [line for line in lines if line.version or not line.problems]
    if not sound:
        say("nothing runs by itself; write `schedule:` or `triggers:` into a definition")
    else:
        rows = [
            (x.pipeline, _rhythm(x), _minute(x.next_ticks[0]) if x.next_ticks else "-", _minute(x.last_tick), _state(x))
            for x in sound
        ]
        for text in table(("pipeline", "runs", "next (UTC)", "last (UTC)", ""), rows):
            say(text)
    for line in lines:
        if line.problems:
            still = f"; version {line.version} stays in service" if line.version else ""
            warn(paint(f"{line.file} cannot be used{still}:", "yellow"))
            for problem in line.problems:
                warn(f"  {problem}")


def _rhythm(line: Line) -> str:
    rhythm = f"{line.rhythm}, {line.timezone}" if line.rhythm else ""
    return "; ".join([*([rhythm] if rhythm else []), *(f"on {trigger}" for trigger in line.triggers)]) or "-"


def _minute(at: str | None) -> str:
    return at[:16].replace("T", " ") if at else "-"


def _state(line: Line) -> str:
    if line.paused is not None:
        return paint(f"paused by {line.paused.by} since {_minute(line.paused.at)}", "yellow")
    return "" if line.next_ticks or not line.rhythm else "the schedule is over"


def pause_pipeline(system: System, project: Path, pipeline: str) -> None:
    """Let the runs of a pipeline wait, whoever asks for them, until it is resumed."""
    named = {d.definition.pipeline for _, d in system.definitions(project) if not isinstance(d, DefinitionError)}
    named |= {seen.pipeline for seen, _ in system.in_service(project) if seen.pipeline}
    named |= {run.pipeline for run in all_runs(system.event_store(project))}
    if pipeline not in named:
        raise UsageError(f"there is no pipeline `{pipeline}`", hint=did_you_mean(pipeline, sorted(named)))
    new = system.pauses(project).pause(pipeline, system.user())
    say(f"{pipeline} is paused: its runs wait" if new else f"{pipeline} was paused before")


def resume_pipeline(system: System, project: Path, pipeline: str) -> None:
    """Let the runs of a paused pipeline go on."""
    pauses = system.pauses(project)
    if not pauses.resume(pipeline):
        paused = sorted(pauses.paused())
        raise UsageError(f"`{pipeline}` is not paused", hint=f"paused: {', '.join(paused)}" if paused else "nothing is")
    say(f"{pipeline} goes on")
