"""The event store's port and the envelope around a stored event. Not a store itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from headrace.bus.events import Event
from headrace.records import record


@record
class Origin:
    """Who made events come about, and what they belong to."""

    actor: str = ""
    """A user, a worker or a schedule, by name."""
    correlation_id: str = ""
    """What all events of one undertaking share: the run that set off others, a backfill. Empty: the stream itself."""
    causation_id: str = ""
    """The event that led to these."""


#: Of events that nobody claims.
UNKNOWN = Origin()


@record
class Envelope:
    """A stored event: its place in the global order and in its stream, when, and what, under its written type name.

    `at` has a zone and microseconds. `hash` chains it to the event before it in the global order (see `chain`).
    """

    position: int
    stream: str
    number: int
    type: str
    at: datetime
    data: Mapping[str, Any]
    hash: str
    origin: Origin = UNKNOWN

    @property
    def id(self) -> str:
        """Unique among all events of a store."""
        return f"{self.stream}/{self.number}"

    @property
    def kind(self) -> str:
        """The written name without its version."""
        return self.type.partition("/")[0]


class EventStore(Protocol):
    """An append-only log, one stream per run, in one global order without gaps. Each event is chained to the one before by hash."""

    def append(
        self, stream: str, events: Sequence[Event], expect: int | None = None, origin: Origin = UNKNOWN
    ) -> Sequence[Envelope]:
        """Commit events at the end of a stream. With `expect`, only if the stream has that many; otherwise raises `RetryableError`."""
        ...

    def read(self, stream: str | None = None, after: int = 0, types: Sequence[str] = ()) -> Iterator[Envelope]:
        """Events in order: of a stream or of all, behind a position, of some types or of any."""
        ...

    def last(self) -> int:
        """The position of the newest event; 0 when there is none."""
        ...
