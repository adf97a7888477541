"""Carries out a replay: the rows that were held back become the source of one more run. What may be replayed is decided in `replay`."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

from headrace.application.orchestrator.batch import Wish, run_all, run_once
from headrace.application.orchestrator.carrying import Assignment, Prepared
from headrace.application.orchestrator.increments import Work, checkpoint_name
from headrace.application.orchestrator.replay import Replay, refuse_if_unfit
from headrace.application.orchestrator.settling import refuse_other_rows, settle_replays
from headrace.application.orchestrator.site import Site, new_run_id
from headrace.application.queries.quarantine import Held, find_held
from headrace.application.queries.runs import RunView
from headrace.bus.events import QuarantineReplayedEvent, QuarantineReplayIntendedEvent
from headrace.business.processing.plan import PlannedSource
from headrace.business.processing.planning import build_plan
from headrace.errors import UsageError


def replay(site: Site, prepared: Prepared, wanted: Held, mended: Path | None, wish: Wish) -> RunView:
    """Publish those of the rows that pass now, each once. Where targets are built anew, that is an ordinary run.

    Rows that break a rule again are held back by this run, and no longer by the one they came from.
    """
    site.bury_the_dead()
    if mended is None and all(getattr(s.publisher, "mode", "replace") == "replace" for s in prepared.plan.sinks):
        return run_all(site, prepared.definition, lambda _attempted: prepared, replace(wish, force=True))
    refuse_if_unfit(prepared.plan, wanted, mended=mended is not None)
    settle_replays(site.bus, site.records, prepared.plan.sinks, site.project)
    held = find_held(site.records, wanted.run_id, wanted.dataset, site.state / "quarantine")
    if not held.open_rows:
        raise UsageError(
            f"nothing that run {held.run_id} held back of `{held.dataset}` is open: its state is {held.state}",
            hint="`headrace quarantine list` shows what is open",
        )
    source = next((s for s in prepared.plan.sources if s.name == held.dataset), None)
    if source is None:
        raise UsageError(
            f"the pipeline has no source `{held.dataset}` any more", hint="give it back its name, or export the rows"
        )
    with tempfile.TemporaryDirectory(prefix="replay-", dir=site.state) as folder:
        again = _chosen(site, held, source, mended, Path(folder) / "rows.parquet")
        if not again.ids:
            raise UsageError(
                "no row of it can go through as it is",
                hint="rows that could not be read need mending: `headrace quarantine export`, then `replay --from`",
            )
        return _carry_out(site, _reading(prepared, source, again), again, wish)


def _chosen(site: Site, held: Held, source: PlannedSource, mended: Path | None, out: Path) -> Replay:
    columns = source.contract.raw_columns
    readable = [i for i in site.held.ids(held.path) if i not in held.replayed]
    if mended is None:
        return Replay(held, tuple(readable), site.held.texts(held.path, readable, columns, out))
    known = [i for i in site.held.ids(held.path, readable=False) if i not in held.replayed]
    ids, scan = site.held.mended(mended, known, columns, out)
    return Replay(held, tuple(ids), scan)


def _reading(prepared: Prepared, source: PlannedSource, again: Replay) -> Prepared:
    """The plan with those rows instead of the source's, of the same types."""
    inferred = {cell.source or cell.column.name: cell.column.type for cell in source.contract.cells}
    found = replace(prepared.resolved[source.name], scan=again.scan, inferred=inferred)
    resolved = {**prepared.resolved, source.name: found}
    return replace(prepared, resolved=resolved, plan=build_plan(prepared.definition, resolved))


def _carry_out(site: Site, prepared: Prepared, again: Replay, wish: Wish) -> RunView:
    run_id, ids = new_run_id(), sorted(again.ids)
    names = {s.name: checkpoint_name(prepared.plan, s, wish.params, again.identity, run_id) for s in prepared.plan.sinks}
    from_run, dataset = again.held.run_id, again.held.dataset
    refuse_other_rows(site.records, prepared.plan.sinks, site.project, (from_run, dataset), set(ids), set(names.values()))
    assignment = Assignment(
        wish.params,
        work=Work({}, {}, prepared.plan.sinks),
        identity=again.identity,
        before=(QuarantineReplayIntendedEvent(run_id, from_run, dataset, ids, names),),
    )
    run = run_once(site, prepared, wish, assignment, run_id)
    site.bus.record(QuarantineReplayedEvent(run_id, from_run, dataset, ids))
    return run
