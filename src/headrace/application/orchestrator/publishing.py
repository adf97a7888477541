"""Publishes what a run has staged: to each sink once, in turn, and tells of it. What is staged was judged before."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime
from functools import partial

from headrace.application.orchestrator.breakers import system_of
from headrace.application.orchestrator.handing import Handing
from headrace.application.orchestrator.increments import remembered
from headrace.application.orchestrator.naming import Names
from headrace.application.orchestrator.order import Order, Surroundings
from headrace.bus.events import DataStoredEvent
from headrace.bus.lifecycle import DataIndexedEvent
from headrace.business.inside import StagedTable
from headrace.business.ports import Checkpoint, Position, Publication, Staged
from headrace.business.processing.plan import PlannedSink
from headrace.errors import Unbalanced, told_at


def publish(
    order: Order,
    around: Surroundings,
    staged: Mapping[str, Staged | StagedTable],
    names: Names,
    now: datetime,
    handing: Handing,
) -> None:
    """Every row that was staged counts in every sink when this returns."""
    for sink in order.work.sinks:
        if sink.name in order.stored:
            continue  # An earlier attempt published it; a later run may have merged more into it since, which would be undone.
        begun = time.monotonic()
        around.busy(f"publishing {sink.name}", None)
        around.before_publishing(sink)
        around.reached(f"before publishing {sink.name}")
        rows = staged[sink.dataset]
        checkpoint = checkpoint_of(order, around, names, sink, now)
        publishing = partial(_once, order, sink, rows, checkpoint, handing)
        with told_at(order.plan.definition.place_of_sink(sink.name)):
            done = around.attempted(f"publishing {sink.name}", publishing, system_of(sink.publisher))
        around.reached(f"published {sink.name}")
        _balance(sink, rows, done)
        _tell(order, around, sink, checkpoint, rows, done, time.monotonic() - begun)
        around.reached(f"told of {sink.name}")


def checkpoint_of(order: Order, around: Surroundings, names: Names, sink: PlannedSink, now: datetime) -> Checkpoint:
    """What the publication to a sink stands for, when the sources are read."""
    read = {name: [remembered(f, order.project) for f in files] for name, files in order.work.files.items()}
    cursors = {name: Position(cursor) for name, cursor in names.cursors.items()}
    return Checkpoint(names.of(sink), order.plan.definition.pipeline, order.run_id, now, read, cursors, around.fence)


def _once(order: Order, sink: PlannedSink, rows: Staged | StagedTable, checkpoint: Checkpoint, handing: Handing) -> Publication:
    """Publish, unless an earlier attempt did and died before it could say so. The sink would recognise its state as long as it
    is the newest; what another run has published over it since must not be undone."""
    if (since := order.since) is not None:
        for c in sink.publisher.ledger(order.project):
            if c.run_id == checkpoint.run_id and checkpoint.name in (c.name, c.was) and c.at >= since:
                return Publication(sink.publisher.target(order.project), already=True)
    return handing.publish(sink.publisher, rows, checkpoint)


def _balance(sink: PlannedSink, rows: Staged | StagedTable, done: Publication) -> None:
    if not done.already and done.inserted + done.updated + done.unchanged != rows.rows:
        raise Unbalanced(
            f"sink `{sink.name}`: {rows.rows} rows were staged, but {done.inserted} inserted + {done.updated} updated + "
            f"{done.unchanged} unchanged"
        )


def _tell(
    order: Order,
    around: Surroundings,
    sink: PlannedSink,
    checkpoint: Checkpoint,
    rows: Staged | StagedTable,
    done: Publication,
    seconds: float,
) -> None:
    stored = DataStoredEvent(
        order.run_id,
        sink=sink.name,
        kind=sink.kind,
        dataset=sink.dataset,
        target=done.target,
        checkpoint=checkpoint.name,
        rows=rows.rows,
        inserted=done.inserted,
        updated=done.updated,
        deleted=done.deleted,
        unchanged=done.unchanged,
        already=done.already,
        files=len(done.files),
        seconds=seconds,
    )
    indexes = 0 if done.already else len(getattr(sink.publisher, "indexes", ()))
    around.tell(stored, *((DataIndexedEvent(order.run_id, sink.name, done.target, indexes),) if indexes else ()))
