"""Events as people and machines read them: one line of words, or the envelope with its data as plain values. Not where they come from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from headrace.application.cli.console import duration, number
from headrace.bus.store import Envelope

Data = Mapping[str, Any]


def in_words(event: Envelope) -> str:
    """What happened, in a few words; of a type that this version does not know, its name."""
    say = _WORDS.get(event.kind)
    return say(event.data) if say is not None else event.type


def as_data(event: Envelope) -> dict[str, Any]:
    """All of an event, for machines: the fields of its envelope, and its data."""
    return {
        "position": event.position,
        "run": event.stream,
        "number": event.number,
        "type": event.type,
        "at": event.at.isoformat(),
        "actor": event.origin.actor,
        "correlation": event.origin.correlation_id,
        "causation": event.origin.causation_id,
        "hash": event.hash,
        "data": dict(event.data),
    }


def _queued(data: Data) -> str:
    params = ", ".join(f"{name}={value}" for name, value in data["params"].items())
    return f"{data['pipeline']}: asked for by {data['trigger']}" + (f" with {params}" if params else "")


def _waiting(data: Data) -> str:
    return f"waits: {data['reason']}" + (f", until {data['until']}" if data.get("until") else "")


def _validated(data: Data) -> str:
    held = f", {number(data['quarantined'])} quarantined" if data["quarantined"] else ""
    return (
        f"read {data['dataset']}: {number(data['read'])} rows, {number(data['good'])} good{held}  {duration(data['seconds'])}"
    )


def _processed(data: Data) -> str:
    lost = f", {number(data['filtered'])} filtered" if data["filtered"] else ""
    return f"step {data['step']}: {number(data['rows'])} rows{lost}"


def _retried(data: Data) -> str:
    if not data["attempt"]:
        return f"{data['step']} waits {data['delay_seconds']:g} s: {data['message']}"
    return f"{data['step']} failed (attempt {data['attempt']}), again in {data['delay_seconds']:g} s: {data['message']}"


def _cancelled(data: Data) -> str:
    return "cancelled" + (f": {data['why']}" if data.get("why") else "")


def _completed(data: Data) -> str:
    return f"{'nothing to do' if data['unchanged'] else 'succeeded'}  {duration(data['seconds'])}"


def _notified(data: Data) -> str:
    outcome = (
        f" could not be told by {data['channel']}: {data['error']}" if data.get("error") else f" told by {data['channel']}"
    )
    return f"{data['alert']} {data['change']}{outcome}"


def _checked(data: Data) -> str:
    seen = f", {data['observed']}, expected {data['expected']}" if data["outcome"] in ("fail", "error") else ""
    return f"check {data['check']}: {data['outcome']}{seen}"


_WORDS: Mapping[str, Callable[[Data], str]] = {
    "pipeline.queued": _queued,
    "pipeline.waiting": _waiting,
    "pipeline.claimed": lambda data: f"claimed by {data['worker']}, attempt {data['attempt']}",
    "pipeline.lease_lost": lambda data: f"taken from {data['worker']}: {data['why']}",
    "pipeline.overtaken": lambda data: f"begins from the start, because run {data['by']} came between",
    "pipeline.resumed": lambda data: f"goes on behind what is {data['stage']}",
    "pipeline.retried": _retried,
    "pipeline.reopened": lambda data: f"{data['how']}" + (f" by {data['by']}" if data["by"] else ""),
    "pipeline.cancel_requested": lambda data: "asked to stop" + (f" by {data['by']}" if data["by"] else ""),
    "pipeline.started": lambda data: f"{data['pipeline']} started",
    "pipeline.completed": _completed,
    "pipeline.failed": lambda data: f"failed: {data['message']}",
    "pipeline.cancelled": _cancelled,
    "data.ingested": lambda data: f"reached the end of {data['dataset']}: {number(data['read'])} records",
    "data.validated": _validated,
    "data.processed": _processed,
    "data.staged": lambda data: f"staged {data['dataset']}: {number(data['rows'])} rows  {duration(data['seconds'])}",
    "quality.checked": _checked,
    "data.stored": lambda data: f"published {data['target']}  {duration(data['seconds'])}",
    "data.indexed": lambda data: f"{data['indexes']} indexes on {data['target']}",
    "quarantine.replay_intended": lambda data: f"{len(data['rows'])} held rows of {data['from_run']} go through again",
    "quarantine.replayed": lambda data: f"{len(data['rows'])} rows of {data['from_run']} left quarantine",
    "notification.sent": _notified,
    "stream.source_silent": lambda data: f"nothing came from {data['source']} for {data['seconds']:g} s",
    "stream.source_heard": lambda data: f"{data['source']} is heard of again",
}
