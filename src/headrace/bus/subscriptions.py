"""Durable subscriptions: who hears of which events, and what follows when a handler fails. Not where positions are kept.

    Subscription("to the warehouse team", ["pipeline.*"], tell_them)

A handler hears of every event behind its position, in the order of the log, at least once. One that writes to the state database itself
is a `Projection`: its rows and its position are committed together, so that each event counts once.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import field
from fnmatch import fnmatchcase
from typing import Any, Literal, Protocol, runtime_checkable

from headrace.bus.store import Envelope
from headrace.errors import HeadraceError, RetryableError
from headrace.records import record

#: Does something outside of the state database; may be a coroutine function. It may hear of an event twice, when its process dies between
#: its deed and the note of it; the id of the event tells.
Handler = Callable[[Envelope], Awaitable[None] | None]
#: The longest that a `retry_after` is waited for, in seconds.
LONGEST_ASKED = 3_600.0
_LONGEST_TEXT = 500
_USER_OF_URL = re.compile(r"(?<=://)[^/\s@]+@")
_QUERY_OF_URL = re.compile(r"(?<=://)([^\s?#]+)[?#]\S*")
_WORDS = "password|passwd|pwd|secret|token|api_?key|authorization|signature|bearer"
_SAID = re.compile(rf"""(?i)\b(\w*(?:{_WORDS})\w*)(["']?\s*[=:]\s*["']?)(?:bearer\s+)?\S+""")


class Rows(Protocol):
    """A transaction on the state database, as a projection may use it."""

    def run(self, statement: str, values: Mapping[str, Any] | None = None) -> int: ...

    def put(self, statement: str, values: Mapping[str, Any] | None = None) -> None:
        """As `run`, for statements of which nothing is asked."""
        ...

    def rows(self, query: str, values: Mapping[str, Any] | None = None) -> Sequence[Sequence[Any]]: ...


@runtime_checkable
class Projection(Protocol):
    """Makes rows of events. It is called inside the transaction that moves its position, so it must be quick and touch nothing else."""

    def apply(self, tx: Rows, events: Sequence[Envelope]) -> None:
        """Let some more events change the rows."""
        ...

    def drop(self, tx: Rows, after: int) -> None:
        """Remove what came of the events behind a position, before they are replayed. What came of earlier ones is the snapshot: those
        events may be gone."""
        ...


@record
class Backoff:
    """Pauses between attempts, in seconds: each twice the one before, up to the longest, with up to half of it left to chance."""

    first: float = 1.0
    longest: float = 300.0

    def pause(self, failures: int, chance: float) -> float:
        """Behind that many failures; `chance` lies between 0 and 1."""
        whole = min(self.longest, self.first * 2.0 ** min(failures - 1, 60))
        return whole * (1 + chance) / 2


@record
class Subscription:
    """A named place in the log, and who is told of what comes behind it."""

    name: str
    types: Sequence[str]
    """Written names without version, or patterns of them: `pipeline.failed`, `pipeline.*`; empty means all."""
    handler: Handler | Projection
    attempts: int = 8
    """How often an event is tried before it goes to the dead letters."""
    backoff: Backoff = field(default_factory=Backoff)
    batch: int = 200
    """How many events are read at once, at most."""
    starts: Literal["at the first event", "now"] = "at the first event"
    """Where it begins when it is new."""
    patient: bool = False
    """Whether what may succeed later (`RetryableError`) is never given up: the events wait until the other side is there again."""

    def wants(self, event: Envelope) -> bool:
        return not self.types or any(fnmatchcase(event.kind, pattern) for pattern in self.types)

    def pause(self, failures: int, error: Exception, chance: float) -> float | None:
        """How long to wait behind that many failures, in seconds; None when the event is given up."""
        may_pass = isinstance(error, RetryableError)
        if failures >= self.attempts and not (self.patient and may_pass):
            return None
        asked = error.retry_after if isinstance(error, RetryableError) else None
        return max(min(asked or 0.0, LONGEST_ASKED), self.backoff.pause(failures, chance))


@record
class DeadLetter:
    """An event that was given up, or that waits behind one of the same run that was: the order within a run is kept."""

    subscription: str
    position: int
    stream: str
    error: str
    at: str
    due: bool
    """Whether somebody asked to try it again."""


@record
class Standing:
    """How a subscription stands."""

    name: str
    position: int
    behind: int
    """How many events it has not read."""
    failures: int
    """How often the next event has failed so far."""
    error: str
    dead_letters: int
    owner: str
    """The process that delivers for it now, if any."""


def shown(error: Exception) -> str:
    """An error as it may be kept: what it says without user names, passwords, queries of addresses and the like."""
    text = error.message if isinstance(error, HeadraceError) else f"{type(error).__name__}: {error}"
    text = _SAID.sub(r"\1\2***", _QUERY_OF_URL.sub(r"\1", _USER_OF_URL.sub("", text)))
    return text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT - 1] + "…"
