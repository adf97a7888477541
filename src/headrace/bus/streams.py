"""What happens in a stream, beside what happens in every run. Rows never travel in events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any, ClassVar

from headrace.bus.events import Event
from headrace.records import record


@record
class StreamRecoveredEvent(Event):
    """A stream went on behind an epoch, from these positions by source and partition."""

    written: ClassVar[str] = "stream.recovered/1"
    stream: str
    epoch: int
    positions: Mapping[str, Mapping[str, str]]


@record
class StreamSharedEvent(Event):
    """The partitions of a stream were shared out anew: among the worker that leads it and these. Workers have come or gone."""

    written: ClassVar[str] = "stream.shared/1"
    stream: str
    generation: int
    """How often that has happened in this run."""
    workers: Sequence[str]


@record
class PartitionWokeEvent(Event):
    """A partition that was silent, or is new, goes on at this position, after windows up to the horizon (microseconds since 1970) closed
    without it. A replay repeats that, by what is kept with the epochs."""

    written: ClassVar[str] = "stream.partition_woke/1"
    source: str
    partition: str
    position: str
    horizon: int


@record
class SourceSilentEvent(Event):
    """By the clock, nothing came from a source for so many seconds of listening. Nothing else follows from it."""

    written: ClassVar[str] = "stream.source_silent/1"
    source: str
    seconds: float


@record
class SourceHeardEvent(Event):
    """Something came again from a source that had been silent."""

    written: ClassVar[str] = "stream.source_heard/1"
    source: str


@record
class StreamProgressedEvent(Event):
    """How a stream stood. Counts are since the run began: `read = good + quarantined + dropped` of each source, of which `late` are good
    rows that came too late for every window, and `dead` are messages that could not be read; `written` is rows by sink; `lag` is
    messages that wait; `delay_seconds` is how far event time was behind the clock; `state` is rows and bytes by step;
    `workers` are those beside the one that leads, with the partitions that each reads."""

    written: ClassVar[str] = "stream.progressed/1"
    stream: str
    epoch: int
    sources: Mapping[str, Mapping[str, Any]]
    written_rows: Mapping[str, int]
    lag: Mapping[str, Mapping[str, int | None]] = field(default_factory=dict)
    delay_seconds: Mapping[str, float] = field(default_factory=dict)
    checkpoint_seconds: float = 0.0
    checkpoint_age_seconds: float = 0.0
    state: Mapping[str, Any] = field(default_factory=dict)
    rate: float = 0.0
    paused: bool = False
    workers: Sequence[Mapping[str, Any]] = ()


STREAMS: tuple[type[Event], ...] = (
    StreamRecoveredEvent,
    StreamSharedEvent,
    PartitionWokeEvent,
    SourceSilentEvent,
    SourceHeardEvent,
    StreamProgressedEvent,
)
"""All of them."""
