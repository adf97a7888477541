"""The hash chain over all events, by which an edited, removed, inserted or swapped one is found. It proves order, not authorship.

Each hash is SHA-256 over the hash before it and the event's own parts as JSON with sorted keys, as in a linked time stamp
(Haber and Stornetta, "How to time-stamp a digital document", 1991).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from headrace.bus.store import UNKNOWN, Envelope, Origin
from headrace.records import record

_SORTED = json.JSONEncoder(default=str, sort_keys=True)


def digest(previous: str, stream: str, number: int, kind: str, at: datetime, data: Mapping[str, Any], origin: Origin) -> str:
    """The hash of an event that follows one with the hash `previous` (empty for the first)."""
    parts: list[Any] = [stream, number, kind, at, data]
    if origin != UNKNOWN:
        parts.append([origin.actor, origin.correlation_id, origin.causation_id])
    return hashlib.sha256((previous + _SORTED.encode(parts)).encode()).hexdigest()


@record
class Anchor:
    """Where a chain begins: the position and hash of the last event that is no longer kept."""

    position: int = 0
    hash: str = ""


@record
class Verified:
    """What became of a verification: how many events were looked at, and the first fault, if any."""

    events: int
    last: Anchor
    fault: str | None = None
    at: Envelope | None = None


def verify(events: Iterable[Envelope], start: Anchor, head: Anchor | None = None) -> Verified:
    """Follow the chain from `start`. `head` is what the store believes its newest event to be, so that a cut tail is found."""
    position, previous, seen = start.position, start.hash, 0
    numbers: dict[str, int] = {}
    for event in events:
        fault = _fault(event, position, previous, numbers)
        if fault:
            return Verified(seen, Anchor(position, previous), fault, event)
        position, previous, seen = event.position, event.hash, seen + 1
        numbers[event.stream] = event.number
    found = Anchor(position, previous)
    if head is not None and head != found:
        missing = f"the log ends at position {position}, but its head says {head.position}"
        fault = missing if head.position != position else f"the newest event, {position}, is not the one that the head names"
        return Verified(seen, found, fault)
    return Verified(seen, found)


def _fault(event: Envelope, position: int, previous: str, numbers: Mapping[str, int]) -> str | None:
    if event.position != position + 1:
        return f"event {position + 1} is missing: {event.position} follows {position}"
    if event.stream in numbers and event.number != numbers[event.stream] + 1:
        return f"event {event.position} is number {event.number} of its run, after {numbers[event.stream]}"
    if digest(previous, event.stream, event.number, event.type, event.at, event.data, event.origin) != event.hash:
        return f"event {event.position} is not what was written, or does not follow the one before it"
    return None
