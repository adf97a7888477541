"""The port of the seats at streams: workers that lead one offer them, other workers take them. Not what is done there."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Protocol

from headrace.application.orchestrator.queue import Worker
from headrace.records import record


@record
class Seat:
    """A place for a worker at a stream that another leads: where to come in, and for which version of the pipeline."""

    run_id: str
    number: int
    address: str
    """`host:port`."""
    secret: bytes
    """Whoever comes in has to know it."""
    fingerprint: str
    """Of the plan: whoever makes another of the same definition cannot take part."""
    host: str | None = None
    """The only machine from which the address can be reached, where that is so."""


class Seats(Protocol):
    """The seats that are offered in a project."""

    def offer(self, seats: Sequence[Seat], token: int) -> None:
        """Offer seats at a run that is held with this token. Those that were offered at it before are gone."""
        ...

    def free(self, seat: Seat) -> None:
        """Offer one again that somebody had taken."""
        ...

    def taken(self, run_id: str) -> AbstractSet[int]:
        """The numbers of those that somebody has taken."""
        ...

    def withdraw(self, run_id: str) -> None: ...

    def take(self, worker: Worker, run_id: str | None = None) -> Seat | None:
        """Take one that is free, at this run or any; None when there is none."""
        ...
