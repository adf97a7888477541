"""`headrace runs list`, `runs show`, `problems` and `headrace show`: what happened. Nothing is run."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from headrace.application.cli.console import duration, number, paint, say, say_json, table
from headrace.application.cli.course import course_lines, course_of
from headrace.application.cli.summary import summary
from headrace.application.cli.system import System
from headrace.application.queries.problems import problem_history
from headrace.application.queries.runs import RunView, all_runs, find_run
from headrace.errors import UsageError


def list_runs(system: System, project: Path, limit: int, *, as_json: bool) -> None:
    system.bury_the_dead(project)
    runs = all_runs(system.event_store(project), limit=limit)
    if as_json:
        say_json(runs)
        return
    if not runs:
        say("no runs yet; start one with `headrace run FILE`")
        return
    rows = [
        (
            r.id,
            r.pipeline,
            r.state,
            f"{r.started_at or r.queued_at:%Y-%m-%d %H:%M:%S}",
            duration(r.seconds),
            number(r.read),
            number(r.written),
            number(r.quarantined),
        )
        for r in runs
    ]
    for line in table(
        ("run", "pipeline", "state", "started (UTC)", "time", "read", "written", "quarantined"), rows, right=(4, 5, 6, 7)
    ):
        say(line)


def list_problems(system: System, project: Path, limit: int, *, as_json: bool) -> None:
    found = problem_history(system.event_store(project))[:limit]
    if as_json:
        say_json(found)
        return
    if not found:
        say("no check has failed yet")
        return
    rows = [
        (
            "open" if p.open else "closed",
            p.pipeline,
            p.check,
            p.observed,
            number(p.failures),
            f"{p.opened_at:%Y-%m-%d %H:%M} by {p.opened_by}",
            f"{p.closed_at:%Y-%m-%d %H:%M} by {p.closed_by}" if p.closed_at else "",
        )
        for p in found
    ]
    for line in table(("state", "pipeline", "check", "observed", "runs", "opened (UTC)", "closed (UTC)"), rows, right=(4,)):
        say(line)


def show_run(system: System, project: Path, run_id: str, out: Path | None, *, as_json: bool) -> None:
    system.bury_the_dead(project)
    run = find_run(system.event_store(project), run_id)
    if out is not None:
        if out.suffix not in (".svg", ".html"):
            raise UsageError(f"{out} is neither .svg nor .html", hint="for example `--out run.html`")
        out.write_text(system.report(run, "svg" if out.suffix == ".svg" else "html"), encoding="utf-8")
        say(f"wrote {out}")
        return
    if as_json:
        say_json(run)
        return
    _say_summary(run)


def show_course(system: System, project: Path, run_id: str, *, as_json: bool) -> None:
    """Where a run stands: who carried it out, what it waits for, what lies ready; then what became of its rows."""
    system.bury_the_dead(project)
    site = system.site(project)
    run = find_run(site.records, run_id)
    course = course_of(site, system.pauses(project), run)
    if as_json:
        say_json({**asdict(run), "course": course})
        return
    for line in course_lines(run, course):
        say(line)
    say()
    _say_summary(run)


def _say_summary(run: RunView) -> None:
    for line in summary(run):
        say(line)
    if run.definition:
        say(paint(f"\ndefinition {run.definition}, plan {run.fingerprint}", "dim"))
