"""`headrace run`: carries out a run and shows it while it goes, or leaves it to a worker. Not how a run works."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from headrace.application.cli.arguments import definition_file, parameters
from headrace.application.cli.composed import settle
from headrace.application.cli.console import duration, paint, say, say_json, warn
from headrace.application.cli.event_lines import in_words
from headrace.application.cli.stream_board import board
from headrace.application.cli.summary import summary
from headrace.application.cli.system import System
from headrace.application.orchestrator.batch import Wish, request_for
from headrace.application.orchestrator.site import Busy, Site, new_run_id
from headrace.application.orchestrator.turns import how_cancelled
from headrace.application.queries.runs import all_runs, fold
from headrace.bus.store import Envelope
from headrace.business.model.definition import Loaded
from headrace.errors import DefinitionError, HeadraceError, RunError
from headrace.records import record


@record
class Wanted:
    """How a run was asked for on the command line."""

    full_refresh: bool = False
    force: bool = False
    priority: int | None = None
    start: str | None = None
    """Where a stream is to begin anew."""


def run_file(system: System, file: Path, param: Sequence[str] | None, wanted: Wanted, *, quiet: bool, as_json: bool) -> None:
    given = parameters(param)
    loaded = system.load(definition_file(file), given)
    settle()
    begun = new_run_id()
    try:
        with system.alone(), live(quiet or as_json) as (busy, listen), board(quiet or as_json) as watch:
            run = system.run(
                loaded,
                params=given,
                full_refresh=wanted.full_refresh,
                force=wanted.force,
                priority=wanted.priority,
                start=wanted.start,
                busy=busy,
                listen=listen,
                watch=watch,
            )
    except DefinitionError:
        raise
    except KeyboardInterrupt:
        raise interrupted(system, loaded.project, _run_since(system, loaded, begun)) from None
    except HeadraceError:
        tell_of_failure(system, loaded.project, loaded.definition.pipeline, as_json=as_json, quiet=quiet)
        raise
    if as_json:
        say_json(run)
    elif not quiet:
        for line in summary(run):
            say(line)
        say()
        for line in next_commands(file, loaded.project, held=run.quarantined > 0):
            say(line)


def submit_file(system: System, file: Path, param: Sequence[str] | None, wanted: Wanted, *, quiet: bool, as_json: bool) -> None:
    """Ask for a run that a worker carries out, and do not wait for it."""
    given = parameters(param)
    loaded = system.load(definition_file(file), given)
    site = system.site(loaded.project)
    wish = Wish(
        {**given, **loaded.params},
        system.kept(loaded),
        wanted.force,
        wanted.full_refresh,
        wanted.priority,
        system.user(),
        wanted.start,
    )
    request = request_for(site, loaded.definition, wish)
    site.queue.submit(request)
    tell_of_submission(site, request.run_id, f"{loaded.definition.pipeline} is queued", quiet=quiet, as_json=as_json)


def tell_of_submission(site: Site, run_id: str, what: str, *, quiet: bool, as_json: bool) -> None:
    """What was asked for, and who is there to do it."""
    served = site.workers.any_alive()
    if as_json:
        say_json({"run": run_id, "state": "queued", "served": served})
        return
    if quiet:
        say(run_id)
        return
    say(f"run {paint(run_id, 'bold')}  {what}")
    if not served:
        warn("  no worker is there to carry it out: start one with `headrace worker` or `headrace serve`")
    say(f"  `headrace runs watch {run_id}{on_project(site.project)}` follows it")


def on_project(project: Path) -> str:
    """The option that names a project, where it is not that of the current folder."""
    return "" if project.resolve() == Path.cwd() else f" --project {project}"


def interrupted(system: System, project: Path, run_id: str | None) -> RunError:
    """What to say when a run was stopped, or none had begun: by whom, and how to go on."""
    store = system.event_store(project)
    run = fold(run_id, store.read(run_id)) if run_id is not None else None
    if run is not None and run.state == "succeeded":
        return RunError("interrupted", hint=f"run {run.id} had succeeded by then, and is published")
    if run is None or run.state != "cancelled":
        return RunError("interrupted", hint="nothing half-done is visible anywhere; `headrace run` starts another run")
    told = how_cancelled(store, run.id)
    return RunError(
        "interrupted" if told.endswith("interrupted") else f"run {run.id} was {told}",
        hint=f"nothing half-done is visible anywhere; `headrace runs resume {run.id}{on_project(project)}` goes on with it, "
        "`headrace run` starts another",
    )


def _run_since(system: System, loaded: Loaded, begun: str) -> str | None:
    """The run of a pipeline that began no earlier than an id was made; its ids are in the order of time."""
    latest = next(iter(all_runs(system.event_store(loaded.project), loaded.definition.pipeline, limit=1)), None)
    return latest.id if latest is not None and latest.id[:15] >= begun[:15] else None


def next_commands(file: Path, project: Path, *, held: bool) -> Iterator[str]:
    """The three commands most worth typing now."""
    where = on_project(project)
    yield paint("Next", "bold")
    if held:
        yield f"  headrace quarantine show latest{where}    the rows that were held back, and why"
    else:
        yield f"  headrace plan {file}    the SQL behind this run"
    yield f"  headrace show latest{where} --out run.html    this graph as a page"
    yield f"  headrace run {file}    again: nothing is loaded twice"


def tell_of_failure(system: System, project: Path, pipeline: str, *, as_json: bool, quiet: bool) -> None:
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
def live(silent: bool) -> Iterator[tuple[Busy | None, Callable[[Envelope], None] | None]]:
    """A line that tells what the run is busy with, on a terminal; and a line for each stage that is done."""
    if silent:
        yield None, None
        return
    line = _StatusLine(sys.stderr.isatty())
    try:
        yield line.busy, line.hear
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

    def hear(self, event: Envelope) -> None:
        mark = _MARKS.get(event.kind)
        if mark is not None:
            self.clear()
            warn(f"  {paint(mark[0], mark[1], sys.stderr)} {in_words(event)}")


#: What is told while a run goes on, each with its mark: a stage that is done, or what keeps it waiting.
_MARKS = {
    **dict.fromkeys(("data.validated", "data.processed", "data.staged", "quality.checked", "data.stored"), ("✓", "green")),
    **dict.fromkeys(("pipeline.waiting", "pipeline.retried", "pipeline.resumed", "pipeline.overtaken"), ("·", "yellow")),
    **dict.fromkeys(("stream.source_silent", "stream.source_heard"), ("·", "yellow")),
}
