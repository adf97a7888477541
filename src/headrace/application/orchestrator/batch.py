"""Runs a pipeline from a command, in this process: plans it, asks for a run, waits for its turn, and goes on until nothing is left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from headrace.application.orchestrator.carrying import Assignment, Carried, Prepared, carry_out
from headrace.application.orchestrator.increments import Work
from headrace.application.orchestrator.queue import KeptDefinition, Lease, RunRequest
from headrace.application.orchestrator.site import Site, new_run_id
from headrace.application.orchestrator.sources import look_at_sources
from headrace.application.orchestrator.turns import ended_elsewhere, take_turn, wait_for_turn
from headrace.application.queries.runs import RunView
from headrace.bus.store import Origin
from headrace.business.model.definition import Definition
from headrace.business.ports import Publisher
from headrace.business.processing.plan import Plan
from headrace.business.processing.planning import build_plan
from headrace.errors import DefinitionError
from headrace.records import record


@record
class Wish:
    """How somebody wants a pipeline to be run."""

    params: Mapping[str, Any]
    kept: KeptDefinition | None = None
    force: bool = False
    full_refresh: bool = False
    priority: int | None = None
    """None: as the definition says."""
    by: str = ""


def prepare(site: Site, definition: Definition, file: Path | None = None) -> Prepared:
    """Look at the sources and plan. Raises `DefinitionError` with every problem of both."""
    engine = site.engine(definition.engine)
    resolved, problems = look_at_sources(definition, site.project, engine)
    try:
        plan = build_plan(definition, resolved)
    except DefinitionError as error:
        raise DefinitionError([*problems, *error.problems]) from error
    if problems:
        raise DefinitionError(problems)
    if refused := tuple(engine.problems(plan)):
        raise DefinitionError(refused)
    return Prepared(definition, file, resolved, replace(plan, notes=(*plan.notes, *engine.notes(plan))))


def run_all(site: Site, prepared: Prepared, wish: Wish, run_id: str | None = None) -> RunView:
    """Run until every sink holds everything; the last run. Several are needed only when sinks had come apart."""
    while True:
        request = replace(request_for(site, prepared.definition, wish, run_id), host=site.worker.host)
        carried = _carried(site, take_turn(site, request), request.run_id, prepared, wish)
        if not carried.more:
            return carried.run
        run_id = None


def go_on(site: Site, prepared: Prepared, wish: Wish, run_id: str) -> RunView:
    """Carry out a run that was asked for before, when its turn comes, and whatever has to follow it."""
    carried = _carried(site, wait_for_turn(site, run_id), run_id, prepared, wish)
    return run_all(site, prepared, wish) if carried.more else carried.run


def run_once(site: Site, prepared: Prepared, wish: Wish, assignment: Assignment, run_id: str) -> RunView:
    """One run with an assignment of its own."""
    request = replace(request_for(site, prepared.definition, wish, run_id), host=site.worker.host)
    lease = take_turn(site, request)
    return carry_out(site, lease, lambda: (prepared, assignment)).run if lease else ended_elsewhere(site.bus.store, run_id)


def _carried(site: Site, lease: Lease | None, run_id: str, prepared: Prepared, wish: Wish) -> Carried:
    if lease is None:
        return Carried(ended_elsewhere(site.bus.store, run_id), more=False)
    return carry_out(site, lease, lambda: assigned(prepared, wish))


def assigned(prepared: Prepared, wish: Wish) -> tuple[Prepared, Assignment]:
    """What a wish comes to."""
    if wish.full_refresh:
        anew = replace(prepared, plan=_rebuilding(prepared.plan))
        return anew, Assignment(wish.params, force=True, work=Work({}, {}, anew.plan.sinks))
    return prepared, Assignment(wish.params, force=wish.force)


def request_for(site: Site, definition: Definition, wish: Wish, run_id: str | None = None) -> RunRequest:
    """The request for a run as somebody wants it."""
    return RunRequest(
        run_id or new_run_id(),
        definition.pipeline,
        str(site.project.resolve()),
        definition=wish.kept,
        params=wish.params,
        options={"force": wish.force, "full_refresh": wish.full_refresh},
        priority=definition.priority if wish.priority is None else wish.priority,
        slots=definition.slots,
        concurrency=definition.concurrency,
        timeout_seconds=definition.timeout.total_seconds() if definition.timeout else None,
        origin=Origin(wish.by),
    )


def wish_of(request: RunRequest) -> Wish:
    """How the one who made a request wanted it."""
    options = request.options
    return Wish(
        request.params, request.definition, options.get("force", False), options.get("full_refresh", False), request.priority
    )


def _rebuilding(plan: Plan) -> Plan:
    """The plan with targets that are added to built anew instead."""

    def anew(publisher: Publisher) -> Publisher:
        copy = getattr(publisher, "model_copy", None)
        if copy is None or getattr(publisher, "mode", None) != "append":
            return publisher
        rebuilt: Publisher = copy(update={"mode": "replace"})
        return rebuilt

    return replace(plan, sinks=tuple(replace(s, publisher=anew(s.publisher)) for s in plan.sinks))
