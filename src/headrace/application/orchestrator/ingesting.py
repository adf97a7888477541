"""Reads the sources of a run, each judged by its contract, and tells what came of it. What stands in the sources is not changed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial

from headrace.application.orchestrator.accounting import check_source
from headrace.application.orchestrator.breakers import system_of
from headrace.application.orchestrator.order import Order, Surroundings
from headrace.bus.events import DataIngestedEvent, DataValidatedEvent
from headrace.business.engine import Ingested, QuarantineTarget, Session
from headrace.business.ports import FileScan
from headrace.business.processing.plan import PlannedSource
from headrace.errors import ContractBroken, told_at


def ingest(order: Order, around: Surroundings, session: Session) -> dict[str, Ingested]:
    """What was found in each source. Raises `ContractBroken` where a rule is broken that must not be."""
    ingested: dict[str, Ingested] = {}
    for source in order.plan.sources:
        begun = time.monotonic()
        what = f"reading {source.name}"
        around.busy(what, None)
        reading = partial(_read, order, around, session, source, what)
        with told_at(order.plan.definition.place_of_source(source.name)):
            found = around.attempted(what, reading, _system(order, source))
        check_source(found)
        ingested[source.name] = found
        seconds = time.monotonic() - begun
        around.tell(
            DataIngestedEvent(order.run_id, source.name, source.origin, found.read, len(found.files), found.bytes, seconds),
            _validated(order.run_id, found, seconds),
        )
        if found.broken:
            raise _broken(found)
    return ingested


def _read(order: Order, around: Surroundings, session: Session, source: PlannedSource, what: str) -> Ingested:
    target = QuarantineTarget(
        order.quarantine / source.name / f"{order.run_id}.parquet", order.plan.definition.pipeline, order.run_id
    )
    after = order.work.cursors.get(source.name)
    return session.ingest(source, target, after=after, progress=lambda share: around.busy(what, share))


def _system(order: Order, source: PlannedSource) -> str | None:
    """What is reached to read a source; nothing when rows that were held back stand in its place."""
    plugin = order.plan.definition.sources[source.name].plugin
    return None if isinstance(source.scan, FileScan) else system_of(plugin)


def _validated(run_id: str, found: Ingested, seconds: float) -> DataValidatedEvent:
    return DataValidatedEvent(
        run_id,
        dataset=found.dataset,
        read=found.read,
        good=found.good,
        quarantined=found.quarantined,
        dropped=found.dropped,
        filtered=found.filtered,
        rules=[asdict(rule) for rule in found.rules],
        examples=[asdict(example) for example in found.examples],
        quarantine=str(found.quarantine) if found.quarantine else None,
        seconds=seconds,
    )


def _broken(found: Ingested) -> ContractBroken:
    rules: Sequence[str] = [f"{r.rule} ({r.rows} rows)" for r in found.rules if r.action == "fail" and r.rows]
    return ContractBroken(
        f"dataset `{found.dataset}` breaks what must not be broken: {', '.join(rules)}",
        hint="no target was touched; `headrace quarantine show` has the rows",
    )
