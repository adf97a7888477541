"""`headrace run`: carries out a run and shows it while it goes. Not how a run works."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from headrace.application.cli.arguments import definition_file, parameters
from headrace.application.cli.composed import settle
from headrace.application.cli.console import duration, number, paint, say, say_json, warn
from headrace.application.cli.summary import summary
from headrace.application.cli.system import System
from headrace.application.orchestrator.site import Busy
from headrace.application.queries.runs import all_runs
from headrace.bus.store import Envelope
from headrace.errors import DefinitionError, HeadraceError, RunError


def run_file(
    system: System, file: Path, param: Sequence[str] | None, *, full_refresh: bool, force: bool, quiet: bool, as_json: bool
) -> None:
    given = parameters(param)
    loaded = system.load(definition_file(file), given)
    settle()
    silent = quiet or as_json
    try:
        with _live(silent) as (busy, listen):
            run = system.run(loaded, params=given, full_refresh=full_refresh, force=force, busy=busy, listen=listen)
    except DefinitionError:
        raise
    except KeyboardInterrupt:
        raise RunError(
            "interrupted", hint=f"nothing half-done is visible anywhere; `headrace run {file}` starts again"
        ) from None
    except HeadraceError:
        _tell_of_failure(system, loaded.project, loaded.definition.pipeline, as_json=as_json, quiet=quiet)
        raise
    if as_json:
        say_json(run)
    elif not quiet:
        for line in summary(run):
            say(line)
        say()
        for line in next_commands(file, loaded.project, held=run.quarantined > 0):
            say(line)


def next_commands(file: Path, project: Path, *, held: bool) -> Iterator[str]:
    """The three commands most worth typing now."""
    where = "" if project.resolve() == Path.cwd() else f" --project {project}"
    yield paint("Next", "bold")
    if held:
        yield f"  headrace quarantine show latest{where}    the rows that were held back, and why"
    else:
        yield f"  headrace plan {file}    the SQL behind this run"
    yield f"  headrace show latest{where} --out run.html    this graph as a page"
    yield f"  headrace run {file}    again: nothing is loaded twice"


def _tell_of_failure(system: System, project: Path, pipeline: str, *, as_json: bool, quiet: bool) -> None:
    """Show how far the run came, if it came to a run at all."""
    runs = all_runs(system.event_store(project), pipeline, limit=1)
    if not runs or runs[0].state != "failed":
        return
    run = runs[0]
    if as_json:
        say_json(run)
    elif not quiet and run.sources:
        for line in list(summary(run))[1:]:
            say(line)
        say()


@contextmanager
def _live(silent: bool) -> Iterator[tuple[Busy | None, Callable[[Envelope], None] | None]]:
    """A line that tells what the run is busy with, on a terminal; and a line for each stage that is done."""
    if silent:
        yield None, None
        return
    line = _StatusLine(sys.stderr.isatty())
    try:
        yield line.busy, line.done
    finally:
        line.clear()


class _StatusLine:
    """One line on standard error that is written over and over, with lasting lines above it."""

    def __init__(self, terminal: bool) -> None:
        self.terminal = terminal
        self.begun = time.monotonic()
        self.width = 0

    def busy(self, what: str, share: float | None) -> None:
        if not self.terminal:
            return
        filled = "" if share is None else " " + "█" * int(share * 24) + "░" * (24 - int(share * 24)) + f" {share:.0%}"
        text = f"  {what}{filled}  {duration(time.monotonic() - self.begun)}"
        self.clear()
        sys.stderr.write(text)
        sys.stderr.flush()
        self.width = len(text)

    def clear(self) -> None:
        if self.terminal and self.width:
            sys.stderr.write("\r" + " " * self.width + "\r")
            sys.stderr.flush()
            self.width = 0

    def done(self, event: Envelope) -> None:
        text = _told(event)
        if text:
            self.clear()
            warn(f"  {paint('✓', 'green', sys.stderr)} {text}")


def _told(event: Envelope) -> str | None:
    data = event.data
    match event.type.partition("/")[0]:
        case "data.validated":
            held = f", {number(data['quarantined'])} quarantined" if data["quarantined"] else ""
            return f"read {data['dataset']}: {number(data['read'])} rows, {number(data['good'])} good{held}  {duration(data['seconds'])}"
        case "data.processed":
            lost = f", {number(data['filtered'])} filtered" if data["filtered"] else ""
            return f"step {data['step']}: {number(data['rows'])} rows{lost}"
        case "data.staged":
            return f"staged {data['dataset']}: {number(data['rows'])} rows  {duration(data['seconds'])}"
        case "quality.checked":
            return f"check {data['check']}: {data['outcome']}"
        case "data.stored":
            return f"published {data['target']}  {duration(data['seconds'])}"
    return None
