"""Runs a pipeline until nothing is outstanding: plans it, decides what is left to do, and carries that out, run by run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from headrace.application.orchestrator.increments import Work, narrowed, outstanding
from headrace.application.orchestrator.run import BatchRun, Order
from headrace.application.orchestrator.settling import settle_runs
from headrace.application.orchestrator.site import Site, new_run_id
from headrace.application.orchestrator.sources import look_at_sources
from headrace.application.queries.runs import PROCESS_DIED, RunView, fold
from headrace.bus.events import PipelineFailedEvent
from headrace.business.model.definition import Definition
from headrace.business.ports import Publisher
from headrace.business.processing.plan import Plan, Resolved
from headrace.business.processing.planning import build_plan
from headrace.errors import DefinitionError


@dataclass(frozen=True, slots=True)
class Prepared:
    """A definition with its plan, ready to run."""

    definition: Definition
    file: Path | None
    resolved: Mapping[str, Resolved]
    plan: Plan


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


def run_all(
    site: Site, prepared: Prepared, params: Mapping[str, Any], *, force: bool = False, full_refresh: bool = False
) -> RunView:
    """Run until every sink holds everything; the last run. Several are needed only when sinks had come apart."""
    if full_refresh:
        prepared = replace(prepared, plan=_rebuilding(prepared.plan))
        return execute(site, prepared, Work({}, {}, prepared.plan.sinks), new_run_id(), params, force=True)
    while True:
        ledgers = {s.name: s.publisher.ledger(site.project) for s in prepared.plan.sinks}
        mine = {name: [c for c in found if c.pipeline == prepared.definition.pipeline] for name, found in ledgers.items()}
        settle_runs(site.bus, prepared.definition.pipeline, mine)
        work = outstanding(prepared.plan, mine, site.hash_file, site.project)
        run = execute(site, _reading_only(prepared, work), work, new_run_id(), params, force=force)
        if not work.more:
            return run


def execute(
    site: Site,
    prepared: Prepared,
    work: Work,
    run_id: str,
    params: Mapping[str, Any],
    *,
    force: bool = False,
    identity: Mapping[str, Any] | None = None,
) -> RunView:
    """One run. Raises what ended it; its workspace is gone afterwards either way."""
    bury_the_dead(site)
    if site.keeping:
        site.keeping.expire(datetime.now(UTC))
    order = Order(
        run_id=run_id,
        plan=prepared.plan,
        project=site.project,
        workspace=site.workspaces.open(run_id),
        quarantine=site.quarantine(prepared.definition.pipeline),
        work=work,
        params=params,
        definition=str(prepared.file) if prepared.file else None,
        force=force,
        identity=identity,
        keeping=site.keeping,
    )
    try:
        BatchRun(order, site.engine, site.bus, site.hash_file, site.busy).execute()
    finally:
        site.workspaces.close(run_id)
    return fold(run_id, site.bus.store.read(run_id))


def bury_the_dead(site: Site) -> None:
    """Close the books of runs whose process died: nothing of theirs was published in part, and none of them stays `running`."""
    for run_id in site.workspaces.abandoned():
        run = fold(run_id, site.bus.store.read(run_id))
        if run.state == "running" and run.pipeline:
            hint = "the next run does again what it had not published"
            site.bus.publish(run_id, PipelineFailedEvent(run.pipeline, PROCESS_DIED, "the process of this run died", hint))
        site.workspaces.close(run_id)


def _reading_only(prepared: Prepared, work: Work) -> Prepared:
    """The same plan, reading only the files that are outstanding."""
    sources = tuple(
        replace(s, scan=narrowed(prepared.resolved[s.name], work.files[s.name]).scan) if s.name in work.files else s
        for s in prepared.plan.sources
    )
    return replace(prepared, plan=replace(prepared.plan, sources=sources))


def _rebuilding(plan: Plan) -> Plan:
    """The plan with targets that are added to built anew instead."""

    def anew(publisher: Publisher) -> Publisher:
        copy = getattr(publisher, "model_copy", None)
        if copy is None or getattr(publisher, "mode", None) != "append":
            return publisher
        rebuilt: Publisher = copy(update={"mode": "replace"})
        return rebuilt

    return replace(plan, sinks=tuple(replace(s, publisher=anew(s.publisher)) for s in plan.sinks))
