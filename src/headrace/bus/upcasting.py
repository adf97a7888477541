"""Reads what older versions wrote: lifts stored data to the newest form of their type, and makes typed events of them. It rewrites nothing.

When the data of a type change so that a default will not do, its written name gets the next version, and a function here that makes the
new form of the old. What no version of ours knows is given as it was stored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, fields, replace
from typing import Any

from headrace.bus import events
from headrace.bus.events import Event
from headrace.bus.lifecycle import LIFECYCLE
from headrace.bus.store import Envelope
from headrace.bus.streams import STREAMS

#: Makes data of the next version.
Lift = Callable[[Mapping[str, Any]], Mapping[str, Any]]

#: By kind of event, how version 1 becomes 2, 2 becomes 3, and so on.
LIFTS: dict[str, Sequence[Lift]] = {}

KNOWN: Mapping[str, type[Event]] = {
    kind.written.partition("/")[0]: kind
    for kind in (*LIFECYCLE, *STREAMS, *vars(events).values())
    if isinstance(kind, type) and issubclass(kind, Event) and kind is not Event
}
"""The typed events by kind."""


def lifted(envelope: Envelope) -> Envelope:
    """The same event with its data in the newest form. Its hash stays that of what was stored."""
    lifts = LIFTS.get(envelope.kind)
    if not lifts or not (version := _version(envelope.type)):
        return envelope
    data = envelope.data
    for lift in lifts[version - 1 :]:
        data = lift(data)
    return replace(envelope, type=f"{envelope.kind}/{max(version, len(lifts) + 1)}", data=data)


def stored_names(types: Sequence[str]) -> tuple[str, ...]:
    """Under which names events may be stored that are read under these."""
    found = dict.fromkeys(types)
    for name in types:
        kind, version = name.partition("/")[0], _version(name)
        if kind in LIFTS and version == len(LIFTS[kind]) + 1:
            found |= dict.fromkeys(f"{kind}/{older}" for older in range(1, version))
    return tuple(found)


def event_of(envelope: Envelope) -> Event | None:
    """The typed event that was stored; None for a type, a version or data that this version of Headrace does not know."""
    newest = lifted(envelope)
    known = KNOWN.get(newest.kind)
    if known is None or known.written != newest.type:
        return None
    own = fields(known)[1:]
    missing = [f for f in own if f.name not in newest.data and f.default is MISSING and f.default_factory is MISSING]
    if missing:
        return None
    return known(newest.stream, **{f.name: newest.data[f.name] for f in own if f.name in newest.data})


def _version(written: str) -> int:
    """The version in a written name; 0 when it has none."""
    version = written.partition("/")[2]
    return int(version) if version.isdecimal() else 0
