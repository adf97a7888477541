"""The event store's port and the envelope around a stored event. Not a store itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from headrace.bus.events import Event


@dataclass(frozen=True, slots=True)
class Envelope:
    """A stored event: its place in the global order and in its stream, when, and what, under its written type name."""

    position: int
    stream: str
    number: int
    type: str
    at: datetime
    data: Mapping[str, Any]
    hash: str


class EventStore(Protocol):
    """An append-only log, one stream per run, in one global order. Each event is chained to the one before by hash."""

    def append(self, stream: str, events: Sequence[Event], expect: int | None = None) -> Sequence[Envelope]:
        """Commit events at the end of a stream. With `expect`, only if the stream has that many; otherwise raises `RetryableError`."""
        ...

    def read(self, stream: str | None = None, after: int = 0, types: Sequence[str] = ()) -> Iterator[Envelope]:
        """Events in order: of a stream or of all, behind a position, of some types or of any."""
        ...
