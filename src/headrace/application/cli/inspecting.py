"""`headrace validate`, `plan` and `schema`: what a definition says and would do. Nothing is run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

from headrace.application.cli.arguments import definition_file, parameters
from headrace.application.cli.composed import settle
from headrace.application.cli.console import number, paint, say, say_json, size, table
from headrace.application.cli.system import System
from headrace.application.orchestrator.graph import describe
from headrace.application.orchestrator.sources import SourceAway
from headrace.business.model.definition import Definition, EngineName, Loaded
from headrace.business.model.durations import format_duration
from headrace.business.model.schema import did_you_mean
from headrace.business.processing.plan import Plan, PlannedSink, PlannedSource
from headrace.business.scheduling.schedule import Tick, next_ticks
from headrace.business.streams.planning import guarantee as stream_guarantee
from headrace.errors import DefinitionError, UsageError


def validate_file(system: System, file: Path, param: Sequence[str] | None, *, as_json: bool) -> None:
    try:
        loaded = system.load(definition_file(file), parameters(param))
        plan = system.plan(loaded)
    except (DefinitionError, SourceAway) as error:
        if as_json:
            problems = error.problems if isinstance(error, DefinitionError) else [error.problem]
            say_json({"valid": False, "problems": [_problem(p) for p in problems]})
        raise
    if as_json:
        found = {"valid": True, "pipeline": plan.definition.pipeline, "fingerprint": plan.fingerprint}
        say_json({**found, "next_ticks": _ticks_as_data(plan.definition, datetime.now(UTC))})
        return
    parts = f"{len(plan.sources)} sources, {len(plan.steps)} steps, {len(plan.checks)} checks, {len(plan.sinks)} sinks"
    say(f"{paint('valid', 'green')}  {plan.definition.pipeline}: {parts}")
    if loaded.definition.schedule is not None:
        ticks = next_ticks(loaded.definition.schedule, datetime.now(UTC))
        say(f"       next ticks: {', '.join(map(_shown, ticks)) or 'none, the schedule is over'}")


def _shown(tick: Tick) -> str:
    return f"{tick.local:%Y-%m-%d %H:%M:%S} ({tick.at:%H:%M:%S} UTC)"


def _ticks_as_data(definition: Definition, now: datetime) -> list[str]:
    return [tick.at.isoformat() for tick in next_ticks(definition.schedule, now)] if definition.schedule else []


def _schedule_lines(definition: Definition, now: datetime) -> Iterator[str]:
    """What starts the pipeline by itself, and when next."""
    schedule = definition.schedule
    if schedule is None and not definition.triggers:
        return
    yield from ("", paint("Runs by itself", "bold"))
    if schedule is not None:
        rhythm = f"cron {schedule.cron}" if schedule.cron else f"every {format_duration(schedule.every or timedelta())}"
        yield f"  {rhythm}, {schedule.timezone}, catches up: {schedule.catch_up}"
        ticks = next_ticks(schedule, now)
        yield f"      next: {', '.join(map(_shown, ticks)) or 'none, the schedule is over'}"
    for trigger in definition.triggers:
        yield f"  when {trigger.file} arrives" if trigger.file else f"  when {trigger.pipeline} has published"


def _problem(problem: Any) -> dict[str, Any]:
    place = problem.location
    return {
        "file": place.file if place else None,
        "line": place.line if place else None,
        "column": place.column if place else None,
        "message": problem.message,
        "hint": problem.hint,
    }


def show_plan(
    system: System, file: Path, param: Sequence[str] | None, *, as_json: bool, sql: bool, engine: str | None = None
) -> None:
    loaded = system.load(definition_file(file), parameters(param))
    if engine is not None:
        loaded = _on_engine(loaded, engine)
    settle()
    plan = system.plan(loaded)
    statements = system.statements(loaded, plan)
    if as_json:
        say_json(_as_data(plan, loaded.project, [{"title": s.title, "sql": s.text} for s in statements]))
        return
    for line in _lines(plan, loaded.project):
        say(line)
    if sql:
        for statement in statements:
            say("")
            say(paint(f"-- {plan.definition.engine}: {statement.title}", "cyan"))
            say(statement.text + ";")


def _on_engine(loaded: Loaded, name: str) -> Loaded:
    """The same definition as another engine would carry it out."""
    known = get_args(EngineName)
    if name not in known:
        raise UsageError(f"there is no engine `{name}`", hint=did_you_mean(name, known))
    return loaded.model_copy(update={"definition": loaded.definition.model_copy(update={"engine": name})})


def _as_data(plan: Plan, project: Path, statements: list[dict[str, str]]) -> dict[str, Any]:
    return {
        "pipeline": plan.definition.pipeline,
        "engine": plan.definition.engine,
        "fingerprint": plan.fingerprint,
        "graph": describe(plan),
        "schemas": {
            p.name: [{"name": c.name, "type": str(c.type), "nullable": c.nullable} for c in p.schema] for p in plan.parts
        },
        "reads": {s.name: [{"path": f.name, "bytes": f.bytes} for f in _files(s)] for s in plan.sources},
        "rules": {
            s.name: [{"rule": r.name, "on_violation": r.action, "version": r.version} for r in s.contract.everything]
            for s in plan.sources
        },
        "checks": [{"check": c.name, "kind": c.kind, "on": c.dataset, "on_fail": c.check.on_fail} for c in plan.checks],
        "sinks": [
            {"sink": s.name, "from": s.dataset, "target": s.publisher.target(project), "guarantee": _guarantee(plan, s)}
            for s in plan.sinks
        ],
        "next_ticks": _ticks_as_data(plan.definition, datetime.now(UTC)),
        "notes": list(plan.notes),
        "statements": statements,
    }


def _lines(plan: Plan, project: Path) -> Iterator[str]:
    yield f"{paint(plan.definition.pipeline, 'bold')}  on {plan.definition.engine}  {paint('plan ' + plan.fingerprint, 'dim')}"
    yield from ("", paint("Reads", "bold"))
    for source in plan.sources:
        yield from _source_lines(source)
    if plan.steps:
        yield from ("", paint("Steps", "bold"))
    for step in plan.steps:
        yield f"  {paint(step.name, 'bold')} ({step.kind}) ← {', '.join(step.relation.datasets())}"
        yield paint(f"      {', '.join(map(str, step.schema))}", "dim")
    if plan.checks:
        yield from ("", paint("Checks, before anything is published", "bold"))
        yield from table(
            ("  check", "on", "if it fails"),
            [(f"  {c.name}", c.dataset, "stop" if c.check.on_fail == "block" else "warn") for c in plan.checks],
        )
    if plan.sinks:
        yield from ("", paint("Publishes", "bold"))
    for sink in plan.sinks:
        yield f"  {paint(sink.name, 'bold')} ({sink.kind}) ← {sink.dataset}: {sink.publisher.target(project)}"
        yield f"      {_guarantee(plan, sink)}"
    yield from _schedule_lines(plan.definition, datetime.now(UTC))
    for note in plan.notes:
        yield paint(f"  note: {note}", "yellow")


def _guarantee(plan: Plan, sink: PlannedSink) -> str:
    return stream_guarantee(sink.publisher) if plan.endless else sink.publisher.guarantee()


def _source_lines(source: PlannedSource) -> Iterator[str]:
    files = _files(source)
    weight = f", {number(len(files))} file{'s' * (len(files) != 1)}, {size(sum(f.bytes for f in files))}" if files else ""
    yield f"  {paint(source.name, 'bold')} ({source.kind}) {source.origin}{weight}"
    yield paint(f"      {', '.join(map(str, source.schema))}", "dim")
    rules = source.contract.everything
    if rules:
        yield (
            f"      {len(rules)} rules in one scan: "
            + ", ".join(r.name for r in rules[:12])
            + (" ..." if len(rules) > 12 else "")
        )


def _files(source: PlannedSource) -> Sequence[Any]:
    return getattr(source.scan, "files", ())


def print_schema(system: System, out: Path | None) -> None:
    schema = system.schema()
    if out is None:
        say_json(schema)
        return
    import json

    out.write_text(json.dumps(schema, indent=2) + "\n")
    say(f"wrote {out}")
