"""The port of sources that remember by themselves how far they were read. Not the positions that engines find out by a column (see
`processing.increments`)."""

from __future__ import annotations

from typing import Protocol


class OwnPosition(Protocol):
    """What a source remembers of its own readings, by its own account. An engine calls `start` before it reads, each time anew."""

    def start(self, position: str | None) -> None:
        """Go on from there, whatever was read in between; from the beginning if None."""
        ...

    def reached(self) -> str:
        """After everything was read: what the next run starts from, when this one is published."""
        ...
