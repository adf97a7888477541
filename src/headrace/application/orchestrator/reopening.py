"""Puts an ended run back: to be gone on with behind what is staged, or to be done from the start, under the same id.

One id, because what a run publishes may be known by it: done again under another, the same rows could be added twice. The text of the
definition that it began with was kept, so it does not matter what became of the file.
"""

from __future__ import annotations

from typing import Literal

from headrace.application.orchestrator.queue import RunQueue, RunRequest
from headrace.application.queries.runs import RunView
from headrace.bus.store import EventStore, Origin
from headrace.business.model.run import ENDED
from headrace.errors import UsageError

How = Literal["resumed", "retried"]


def asked_for(queue: RunQueue, store: EventStore, run: RunView, how: How, by: str) -> RunRequest:
    """What was asked for when an ended run began, to be asked for again. Raises `UsageError` where that cannot be."""
    refuse_unless_ended_badly(run)
    queued, fingerprint = None, None
    for event in store.read(run.id, types=("pipeline.queued/1", "pipeline.reopened/1")):
        queued = event if event.kind == "pipeline.queued" else queued
        fingerprint = event.data.get("definition") or fingerprint
    kept = queue.definition(fingerprint) if fingerprint else None
    if queued is None or kept is None:
        raise UsageError(
            f"the definition that run {run.id} went by was not kept",
            hint="runs of older versions and replays of held rows cannot be put back; run the same command again",
        )
    data = queued.data
    return RunRequest(
        run.id,
        run.pipeline,
        kept.project,
        definition=kept,
        params=data["params"],
        options={**data.get("options", {}), "reopened": how},
        trigger=data["trigger"],
        priority=data["priority"],
        slots=data.get("slots", {}),
        concurrency=data.get("concurrency", 1),
        timeout_seconds=data.get("timeout_seconds"),
        origin=Origin(by, queued.origin.correlation_id),
    )


def refuse_unless_ended_badly(run: RunView) -> None:
    if run.state not in ENDED:
        raise UsageError(f"run {run.id} has not ended: it is {run.state}", hint=f"`headrace runs watch {run.id}` follows it")
    if run.state == "succeeded":
        raise UsageError(
            f"run {run.id} has succeeded: there is nothing to go on with",
            hint="`headrace run FILE --force` runs all of it again",
        )


def overtaken_by(store: EventStore, run_id: str, pipeline: str) -> str | None:
    """The run of the pipeline that began behind what this one has staged, if any did. What is staged then stands for less than the
    targets hold, and must not be published any more."""
    staged = max((event.position for event in store.read(run_id, types=("data.staged/1",))), default=0)
    began = store.read(after=staged, types=("pipeline.started/1",))
    return next((event.stream for event in began if event.stream != run_id and event.data["pipeline"] == pipeline), None)
