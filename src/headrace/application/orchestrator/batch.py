"""Runs a pipeline from a command, in this process: plans it, asks for a run, waits for its turn, and goes on until nothing is left."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from headrace.application.orchestrator.carrying import Assignment, Carried, Prepared, carry_out
from headrace.application.orchestrator.increments import Work
from headrace.application.orchestrator.interruptions import Interruptions
from headrace.application.orchestrator.queue import KeptDefinition, Lease, RunRequest
from headrace.application.orchestrator.site import Site, new_run_id
from headrace.application.orchestrator.sources import Attempted, look_at_sources, once
from headrace.application.orchestrator.turns import ended_elsewhere, take_turn, wait_for_turn
from headrace.application.queries.runs import RunView
from headrace.bus.store import Origin
from headrace.business.model.definition import Definition
from headrace.business.movable import Movable
from headrace.business.ports import Publisher
from headrace.business.processing.plan import Plan
from headrace.business.processing.planning import draft_plan
from headrace.business.streams import planning as streaming
from headrace.business.streams.beginning import parse_start
from headrace.errors import DefinitionError, RetryableError, UsageError
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
    start: str | None = None
    """Where a stream is to begin anew (see `business.streams.beginning`), instead of going on."""
    place: str | None = None
    """Where the targets in databases are to be instead of where they are, so that a run can be tried (see `Movable`)."""


#: Makes a definition ready to run, with one try or with as many as it is given.
Planned = Callable[[Attempted], Prepared]


def prepare(site: Site, definition: Definition, file: Path | None = None, attempted: Attempted = once) -> Prepared:
    """Look at the sources and plan. Raises `DefinitionError` with every problem of both; and `SourceAway` where nothing is wrong, but
    a source is away."""
    engine = site.engine(definition.engine)
    looked = look_at_sources(definition, site.project, engine, attempted)
    away = [error.problem for error in looked.away]
    draft = draft_plan(definition, looked.resolved)
    plan, wrong = draft.plan, [*looked.problems, *draft.problems]
    if plan is not None:
        wrong += [*streaming.problems(plan), *engine.problems(plan)]
    if wrong:
        raise DefinitionError([*wrong, *away])
    if plan is None or not draft.whole:
        raise looked.away[0]  # without it there is no plan, and nothing else is wrong
    noted = replace(plan, notes=(*plan.notes, *streaming.notes(plan), *engine.notes(plan)))
    return Prepared(definition, file, looked.resolved, noted)


def at_first(planned: Planned) -> Planned:
    """Prepare now, so that what is wrong is told before there is a run. Where a source is away, that is left to the run: it is tried
    again there, as the definition says and in sight of everybody. Raises `DefinitionError`."""
    try:
        prepared = planned(once)
    except RetryableError:
        return planned
    return lambda _attempted: prepared


def run_all(site: Site, definition: Definition, planned: Planned, wish: Wish, run_id: str | None = None) -> RunView:
    """Run until every sink holds everything; the last run. Several are needed only when sinks had come apart."""
    with Interruptions() as interruptions:
        planned = at_first(planned)
        while True:
            request = replace(request_for(site, definition, wish, run_id), host=site.worker.host)
            lease = take_turn(site, request, interruptions)
            carried = _carried(site, lease, request.run_id, planned, wish, interruptions)
            if not carried.more:
                return carried.run
            run_id = None


def go_on(site: Site, definition: Definition, planned: Planned, wish: Wish, run_id: str) -> RunView:
    """Carry out a run that was asked for before, when its turn comes, and whatever has to follow it."""
    with Interruptions() as interruptions:
        lease = wait_for_turn(site, run_id, interruptions)
        carried = _carried(site, lease, run_id, planned, wish, interruptions)
    return run_all(site, definition, planned, wish) if carried.more else carried.run


def run_once(site: Site, prepared: Prepared, wish: Wish, assignment: Assignment, run_id: str) -> RunView:
    """One run with an assignment of its own."""
    request = replace(request_for(site, prepared.definition, wish, run_id), host=site.worker.host)
    with Interruptions() as interruptions:
        lease = take_turn(site, request, interruptions)
        if lease is None:
            return ended_elsewhere(site.bus.store, run_id)
        return carry_out(site, lease, lambda _attempted: (prepared, assignment), interruptions).run


def _carried(
    site: Site, lease: Lease | None, run_id: str, planned: Planned, wish: Wish, interruptions: Interruptions
) -> Carried:
    if lease is None:
        return Carried(ended_elsewhere(site.bus.store, run_id), more=False)
    return carry_out(site, lease, lambda attempted: assigned(planned(attempted), wish), interruptions)


def assigned(prepared: Prepared, wish: Wish) -> tuple[Prepared, Assignment]:
    """What a wish comes to."""
    if prepared.plan.endless:
        return prepared, _flowing(prepared.plan, wish)
    if wish.start is not None:
        raise UsageError(
            "this pipeline is no stream, so it has no place to begin at", hint="`headrace run --full-refresh` reads all anew"
        )
    if wish.place is not None:
        prepared = replace(prepared, plan=_elsewhere(prepared.plan, wish.place))
    if wish.full_refresh:
        anew = replace(prepared, plan=_rebuilding(prepared.plan))
        return anew, Assignment(wish.params, force=True, work=Work({}, {}, anew.plan.sinks))
    return prepared, Assignment(wish.params, force=wish.force)


def _flowing(plan: Plan, wish: Wish) -> Assignment:
    if wish.full_refresh or wish.force:
        hint = f"`headrace streams replay FILE --from earliest` lets {plan.definition.pipeline} begin anew"
        raise UsageError("a stream goes on where it was, and is not rebuilt", hint=hint)
    return Assignment(wish.params, start=parse_start(wish.start) if wish.start is not None else None)


def request_for(site: Site, definition: Definition, wish: Wish, run_id: str | None = None) -> RunRequest:
    """The request for a run as somebody wants it."""
    return RunRequest(
        run_id or new_run_id(),
        definition.pipeline,
        str(site.project.resolve()),
        definition=wish.kept,
        params=wish.params,
        options={"force": wish.force, "full_refresh": wish.full_refresh, **({"start": wish.start} if wish.start else {})},
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
        request.params,
        request.definition,
        options.get("force", False),
        options.get("full_refresh", False),
        request.priority,
        start=options.get("start"),
        place=options.get("place"),
    )


def _elsewhere(plan: Plan, place: str) -> Plan:
    """The plan with the targets that can be elsewhere in a place of that name."""

    def moved(publisher: Publisher) -> Publisher:
        return publisher.moved(place) if isinstance(publisher, Movable) else publisher

    return replace(plan, sinks=tuple(replace(s, publisher=moved(s.publisher)) for s in plan.sinks))


def _rebuilding(plan: Plan) -> Plan:
    """The plan with targets that are added to built anew instead."""

    def anew(publisher: Publisher) -> Publisher:
        copy = getattr(publisher, "model_copy", None)
        if copy is None or getattr(publisher, "mode", None) != "append":
            return publisher
        rebuilt: Publisher = copy(update={"mode": "replace"})
        return rebuilt

    return replace(plan, sinks=tuple(replace(s, publisher=anew(s.publisher)) for s in plan.sinks))
