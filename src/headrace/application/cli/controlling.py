"""`headrace runs cancel`, `resume` and `retry`: what becomes of a run by hand. Not how it is carried out."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from pathlib import Path

from headrace.application.cli.console import say, say_json
from headrace.application.cli.running import interrupted, live, tell_of_failure, tell_of_submission
from headrace.application.cli.summary import summary
from headrace.application.cli.system import System
from headrace.application.orchestrator.batch import at_first, go_on, wish_of
from headrace.application.orchestrator.queue import RunRequest
from headrace.application.orchestrator.reopening import How, asked_for
from headrace.application.orchestrator.turns import LOOK_AT_FIRST, standing
from headrace.application.queries.runs import RunView, find_run, fold
from headrace.errors import DefinitionError, HeadraceError, UsageError


def cancel_run(system: System, project: Path, run_id: str, *, wait: bool, as_json: bool) -> None:
    """Stop a run wherever it is, and wait until it has ended."""
    system.bury_the_dead(project)
    site = system.site(project)
    run = find_run(site.records, run_id)
    state = site.queue.cancel(run.id, system.user())
    if not state:
        raise UsageError(
            f"run {run.id} has ended already: it {_ended(run)}", hint="only runs that have not ended can be stopped"
        )
    while wait and state == "cancelling":
        if standing(site.queue, run.id) is None:
            state = fold(run.id, site.bus.store.read(run.id)).state
            break
        time.sleep(LOOK_AT_FIRST)
        site.bury_the_dead()
    if as_json:
        say_json({"run": run.id, "state": state})
    elif state == "cancelling":
        say(f"run {run.id} is asked to stop; `headrace runs watch {run.id}` follows it")
    elif state == "cancelled":
        say(f"run {run.id} is cancelled; `headrace runs resume {run.id}` would go on with it")
    else:
        say(f"run {run.id} {state} before it could be stopped")


def _ended(run: RunView) -> str:
    return {"cancelled": "was cancelled"}.get(run.state, run.state)


def reopen_run(system: System, project: Path, run_id: str, how: How, *, detach: bool, quiet: bool, as_json: bool) -> None:
    """Put an ended run back, by the definition that it began with: carried out here, or with `detach` by a worker."""
    system.bury_the_dead(project)
    found = system.site(project)
    run = find_run(found.records, run_id)
    request = asked_for(found.queue, found.bus.store, run, how, system.user())
    where = Path(request.project)
    project = project if project.resolve() == where else where
    if not detach:
        _go_on(system, project, request, how, quiet=quiet, as_json=as_json)
        return
    if request.definition is not None:
        system.load_kept(request.definition, request.params)
    found.queue.reopen(request, how, system.user())
    tell_of_submission(found, run.id, f"{run.pipeline} is queued again", quiet=quiet, as_json=as_json)


def _go_on(system: System, project: Path, request: RunRequest, how: How, *, quiet: bool, as_json: bool) -> None:
    wish = wish_of(request)
    if wish.kept is None:
        raise UsageError(f"the definition that run {request.run_id} went by was not kept", hint="run the same command again")
    loaded = system.load_kept(wish.kept, wish.params)
    try:
        with system.alone(), live(quiet or as_json) as (busy, listen):
            site = system.site(project, busy, listen)
            planned = at_first(partial(system.prepare, loaded, site))
            site.queue.reopen(replace(request, host=site.worker.host), how, system.user())
            wanted = replace(wish, params={**wish.params, **loaded.params})
            run = go_on(site, loaded.definition, planned, wanted, request.run_id)
    except DefinitionError:
        raise
    except KeyboardInterrupt:
        raise interrupted(system, project, request.run_id) from None
    except HeadraceError:
        tell_of_failure(system, project, request.pipeline, as_json=as_json, quiet=quiet)
        raise
    if as_json:
        say_json(run)
    elif not quiet:
        for line in summary(run):
            say(line)
