"""Runs that ended, as notifications see them: read from the log behind a position, each folded from its own stream. Not who is told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, cast

from headrace.application.queries.runs import RunView, fold
from headrace.bus.events import PipelineCancelledEvent, PipelineCompletedEvent, PipelineFailedEvent
from headrace.bus.store import Envelope, EventStore
from headrace.business.scheduling.alerts import RunFacts

_ENDS = (PipelineCompletedEvent.written, PipelineFailedEvent.written, PipelineCancelledEvent.written)
_PASSED = {"pass": True, "fail": False, "error": False}


@dataclass(frozen=True, slots=True)
class Ended:
    """A run at its end. `position` is that of the event that says so; a run that was put back and ended again is two of these."""

    position: int
    run: RunView
    key: str | None
    """What made the request the only one of its kind, such as the tick of a schedule."""

    @property
    def facts(self) -> RunFacts:
        """What troubles are made of. A check that is still learning, or was skipped, was not carried out."""
        run = self.run
        checks = {c["check"]: _PASSED[c["outcome"]] for c in run.checks if c["outcome"] in _PASSED}
        state = cast('Literal["succeeded", "failed", "cancelled"]', run.state)
        if run.ended_at is None:
            raise ValueError(f"run {run.id} has not ended")
        return RunFacts(run.id, run.ended_at, state, run.quarantined, checks)


def ended_after(store: EventStore, position: int) -> Iterator[Ended]:
    """The runs that ended behind a position, in that order. Only these streams are read, and each up to its end."""
    for end in store.read(after=position, types=_ENDS):
        events = [event for event in store.read(end.stream) if event.position <= end.position]
        if events:
            yield Ended(end.position, fold(end.stream, events), _key(events))


def _key(events: list[Envelope]) -> str | None:
    keys = (event.data.get("key") for event in events if event.kind == "pipeline.queued")
    return next((str(key) for key in keys if key is not None), None)
