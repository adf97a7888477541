"""Asks for a run and waits for its turn, telling why it waits; or tells what became of it if another process took it meanwhile."""

from __future__ import annotations

import time

from headrace.application.orchestrator.interruptions import Interruptions
from headrace.application.orchestrator.queue import Lease, Outstanding, RunQueue, RunRequest
from headrace.application.orchestrator.site import Site
from headrace.application.queries.runs import RunView, fold
from headrace.bus.store import EventStore
from headrace.errors import RunError

#: How long to wait before looking again whether a run may begin, in seconds: at first, and at most. It only reads until it may.
LOOK_AT_FIRST, LOOK_AT_MOST = 0.1, 1.0


def take_turn(site: Site, request: RunRequest, interruptions: Interruptions) -> Lease | None:
    """Ask for a run and take it when it may begin: see `wait_for_turn`."""
    site.bury_the_dead()
    interruptions.hold()
    return site.queue.start(request, site.worker) or wait_for_turn(site, request.run_id, interruptions)


def wait_for_turn(site: Site, run_id: str, interruptions: Interruptions) -> Lease | None:
    """Take a run that was asked for as soon as it may begin; None when it has ended in other hands. With a lease, interruptions are
    held back: who gets it is where they can be dealt with."""
    pause = LOOK_AT_FIRST
    try:
        interruptions.let_go()
        while (found := standing(site.queue, run_id)) is not None:
            if not found.worker and site.queue.has_ready(site.worker, run_id):
                interruptions.hold()
                if (lease := site.queue.claim(site.worker, run_id)) is not None:
                    return lease
                interruptions.let_go()
                pause = LOOK_AT_FIRST
            site.busy(f"carried out by {found.worker}" if found.worker else f"waiting: {found.reason or 'for its turn'}", None)
            time.sleep(pause)
            pause = min(pause * 1.3, LOOK_AT_MOST)
            site.bury_the_dead()
    except KeyboardInterrupt:
        interruptions.hold()
        site.queue.cancel(run_id, "interrupted")
        raise
    return None


def standing(queue: RunQueue, run_id: str) -> Outstanding | None:
    """How the queue sees a run; None when it has ended."""
    return next((run for run in queue.outstanding() if run.run_id == run_id), None)


def ended_elsewhere(store: EventStore, run_id: str) -> RunView:
    """What became of a run that another process ended. Raises `RunError` unless it succeeded, as carrying it out would have."""
    run = fold(run_id, store.read(run_id))
    if run.state == "failed" and run.error is not None:
        raise RunError(run.error["message"], hint=run.error.get("hint"))
    if run.state != "succeeded":
        raise RunError(
            f"run {run_id} was {how_cancelled(store, run_id)}", hint=f"`headrace runs resume {run_id}` goes on with it"
        )
    return run


def how_cancelled(store: EventStore, run_id: str) -> str:
    """`cancelled`, and by whom where that is known."""
    told = "cancelled"
    for event in store.read(run_id, types=("pipeline.cancel_requested/1", "pipeline.cancelled/1")):
        why = f"by {event.data['by']}" if event.kind == "pipeline.cancel_requested" else event.data["why"]
        told = f"cancelled {why}" if why else told
    return told
