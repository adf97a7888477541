"""Asks for the runs of a backfill, one for each value of a parameter, and tells what became of them. Not how a run is carried out.

Each run has a key, so asking again for the same backfill finds the runs there are: what succeeded is left alone, what failed or was
cancelled is put back, by the definition as it is now.
"""

from __future__ import annotations

from dataclasses import replace

from headrace.application.orchestrator.backfills import Backfills, KnownBackfill
from headrace.application.orchestrator.batch import Wish, request_for
from headrace.application.orchestrator.site import Site
from headrace.application.orchestrator.turns import standing
from headrace.application.queries.runs import RunView, fold
from headrace.bus.store import EventStore, Origin
from headrace.business.model.definition import Definition
from headrace.business.model.run import ENDED
from headrace.business.scheduling.backfill import Backfill
from headrace.errors import UsageError
from headrace.records import record


@record
class Limit:
    """How many runs of the pipeline may go on at once while those of the backfill do, and where they stand in line."""

    concurrency: int
    priority: int


def limit(definition: Definition, concurrency: int | None, priority: int | None) -> Limit:
    """What the definition allows, or less; behind the pipeline's own runs unless said otherwise. Raises `UsageError`."""
    if concurrency is not None and concurrency > definition.concurrency:
        raise UsageError(
            f"`{definition.pipeline}` lets {definition.concurrency} of its runs go on at once, not {concurrency}",
            hint=f"write `concurrency: {concurrency}` into the definition if its sinks can bear it",
        )
    return Limit(concurrency or definition.concurrency, max(-1000, definition.priority - 1) if priority is None else priority)


def keep(register: Backfills, backfill: Backfill, asked: str) -> KnownBackfill:
    """Put a backfill on record."""
    keys = {value: backfill.key(value) for value in backfill.values}
    known = KnownBackfill(backfill.id, backfill.pipeline, backfill.param, asked, keys, backfill.params)
    register.keep(known)
    return known


def ask_for(site: Site, definition: Definition, wish: Wish, key: str, belongs_to: str, limit: Limit) -> RunView:
    """Ask for the run of one value, if it has not succeeded before. The run as it stands then."""
    request = replace(
        request_for(site, definition, wish),
        key=key,
        trigger="backfill",
        priority=limit.priority,
        concurrency=limit.concurrency,
        origin=Origin(wish.by, belongs_to),
    )
    run_id = site.queue.submit(request)
    run = fold(run_id, site.bus.store.read(run_id))
    if run.state in ENDED and run.state != "succeeded" and standing(site.queue, run_id) is None:
        again = replace(request, run_id=run_id, options={**request.options, "reopened": "resumed"})
        site.queue.reopen(again, "resumed", wish.by)
        run = fold(run_id, site.bus.store.read(run_id))
    return run


def runs_of(register: Backfills, store: EventStore, backfill: KnownBackfill) -> dict[str, RunView | None]:
    """The run of each value; None where none was asked for yet."""
    known = register.runs(backfill)
    return {value: fold(known[value], store.read(known[value])) if value in known else None for value in backfill.keys}
