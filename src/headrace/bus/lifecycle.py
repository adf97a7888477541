"""What becomes of a run from the outside: asked for, waiting, claimed, lost, retried, cancelled. What happens inside stands in `events`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any, ClassVar

from headrace.bus.events import Event
from headrace.records import record


@record
class PipelineQueuedEvent(Event):
    """A run was accepted, and from here on will end. `definition` is the fingerprint of the text it runs by, `key` what makes the
    request the only one of its kind, `trigger` who asked: `command`, `schedule`, `file`, `pipeline`, `backfill`, `api`. All that was
    asked for stands here, so that an ended run can be put back as it was."""

    written: ClassVar[str] = "pipeline.queued/1"
    pipeline: str
    trigger: str = "command"
    definition: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    priority: int = 0
    key: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    slots: Mapping[str, int] = field(default_factory=dict)
    concurrency: int = 1
    timeout_seconds: float | None = None


@record
class PipelineWaitingEvent(Event):
    """A run cannot go on yet, and why; `until` where the time is known (ISO 8601, UTC)."""

    written: ClassVar[str] = "pipeline.waiting/1"
    reason: str
    until: str | None = None


@record
class PipelineClaimedEvent(Event):
    """A worker took the run, for the `attempt`th time, under a lease with this fencing token."""

    written: ClassVar[str] = "pipeline.claimed/1"
    worker: str
    token: int
    attempt: int


@record
class LeaseLostEvent(Event):
    """The worker that held this token was not heard of any more; from here on it cannot publish."""

    written: ClassVar[str] = "pipeline.lease_lost/1"
    worker: str
    token: int
    why: str


@record
class PipelineResumedEvent(Event):
    """A run went on from a durable stage instead of from its start: what was staged or published is not done again."""

    written: ClassVar[str] = "pipeline.resumed/1"
    stage: str
    attempt: int


@record
class PipelineOvertakenEvent(Event):
    """What a run had staged before it was interrupted is forgotten, because another run of its pipeline came between: that one may
    have published the same rows, or newer ones. The run begins from the start, and may find nothing left to do."""

    written: ClassVar[str] = "pipeline.overtaken/1"
    by: str


@record
class PipelineRetriedEvent(Event):
    """A step failed in a way that may pass, and is tried again after this delay. Attempt 0 was not made, because the circuit breaker
    of the system behind it is open."""

    written: ClassVar[str] = "pipeline.retried/1"
    step: str
    attempt: int
    delay_seconds: float
    error: str
    message: str


@record
class PipelineReopenedEvent(Event):
    """A run that had ended without success was put back into the queue by hand: `resumed` keeps what is staged, `retried` does not.
    `definition` is the fingerprint of the text that it goes by from here on."""

    written: ClassVar[str] = "pipeline.reopened/1"
    how: str
    by: str = ""
    definition: str | None = None


@record
class CancelRequestedEvent(Event):
    """Somebody wants the run to stop."""

    written: ClassVar[str] = "pipeline.cancel_requested/1"
    by: str = ""


@record
class DataIndexedEvent(Event):
    """The indexes that a sink asks for exist on its target."""

    written: ClassVar[str] = "data.indexed/1"
    sink: str
    target: str
    indexes: int


@record
class NotificationSentEvent(Event):
    """People were told that something opened or closed; never how (addresses may be secret)."""

    written: ClassVar[str] = "notification.sent/1"
    pipeline: str
    alert: str
    change: str
    channel: str
    error: str | None = None


LIFECYCLE: tuple[type[Event], ...] = (
    PipelineQueuedEvent,
    PipelineWaitingEvent,
    PipelineClaimedEvent,
    LeaseLostEvent,
    PipelineResumedEvent,
    PipelineOvertakenEvent,
    PipelineRetriedEvent,
    PipelineReopenedEvent,
    CancelRequestedEvent,
    DataIndexedEvent,
    NotificationSentEvent,
)
"""All of them, in the order of a run."""
