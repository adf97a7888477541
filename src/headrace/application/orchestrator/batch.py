"""Runs a pipeline from a command, in this process: plans it, asks for a run, waits for its turn, and goes on until nothing is left."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from headrace.application.orchestrator.carrying import Assignment, Prepared, carry_out
from headrace.application.orchestrator.increments import Work
from headrace.application.orchestrator.queue import KeptDefinition, Lease, RunRequest
from headrace.application.orchestrator.site import Site, new_run_id
from headrace.application.orchestrator.sources import look_at_sources
from headrace.application.queries.runs import RunView
from headrace.business.model.definition import Definition
from headrace.business.ports import Publisher
from headrace.business.processing.plan import Plan
from headrace.business.processing.planning import build_plan
from headrace.errors import DefinitionError
from headrace.records import record

#: How often to see whether a run that has to wait may begin, in seconds.
LOOK_EVERY = 0.2


@record
class Wish:
    """How somebody wants a pipeline to be run."""

    params: Mapping[str, Any]
    kept: KeptDefinition | None = None
    force: bool = False
    full_refresh: bool = False


def prepare(site: Site, definition: Definition, file: Path | None = None) -> Prepared:
    """Look at the sources and plan. Raises `DefinitionError` with every problem of both."""
    resolved, problems = look_at_sources(definition, site.project, site.engine)
    try:
        plan = build_plan(definition, resolved)
    except DefinitionError as error:
        raise DefinitionError([*problems, *error.problems]) from error
    if problems:
        raise DefinitionError(problems)
    return Prepared(definition, file, resolved, plan)


def run_all(site: Site, prepared: Prepared, wish: Wish, run_id: str | None = None) -> RunView:
    """Run until every sink holds everything; the last run. Several are needed only when sinks had come apart."""
    while True:
        carried = carry_out(site, take_turn(site, prepared.definition, wish, run_id), *assigned(prepared, wish))
        if not carried.more:
            return carried.run
        run_id = None


def run_once(site: Site, prepared: Prepared, wish: Wish, assignment: Assignment, run_id: str) -> RunView:
    """One run with an assignment of its own."""
    return carry_out(site, take_turn(site, prepared.definition, wish, run_id), prepared, assignment).run


def assigned(prepared: Prepared, wish: Wish) -> tuple[Prepared, Assignment]:
    """What a wish comes to."""
    if wish.full_refresh:
        anew = replace(prepared, plan=_rebuilding(prepared.plan))
        return anew, Assignment(wish.params, force=True, work=Work({}, {}, anew.plan.sinks))
    return prepared, Assignment(wish.params, force=wish.force)


def take_turn(site: Site, definition: Definition, wish: Wish, run_id: str | None = None) -> Lease:
    """Ask for a run and wait until it may begin: no other run of the pipeline goes on, and its slots are free."""
    request = RunRequest(
        run_id or new_run_id(),
        definition.pipeline,
        str(site.project.resolve()),
        definition=wish.kept,
        params=wish.params,
        options={"force": wish.force, "full_refresh": wish.full_refresh},
        priority=definition.priority,
        slots=definition.slots,
        concurrency=definition.concurrency,
        timeout_seconds=definition.timeout.total_seconds() if definition.timeout else None,
        host=site.worker.host,
    )
    site.bury_the_dead()
    lease = site.queue.start(request, site.worker)
    try:
        while lease is None:
            site.busy("waiting for its turn", None)
            time.sleep(LOOK_EVERY)
            site.bury_the_dead()
            lease = site.queue.claim(site.worker, request.run_id)
    except KeyboardInterrupt:
        site.queue.cancel(request.run_id, "interrupted")
        raise
    return lease


def _rebuilding(plan: Plan) -> Plan:
    """The plan with targets that are added to built anew instead."""

    def anew(publisher: Publisher) -> Publisher:
        copy = getattr(publisher, "model_copy", None)
        if copy is None or getattr(publisher, "mode", None) != "append":
            return publisher
        rebuilt: Publisher = copy(update={"mode": "replace"})
        return rebuilt

    return replace(plan, sinks=tuple(replace(s, publisher=anew(s.publisher)) for s in plan.sinks))
