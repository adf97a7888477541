"""The port of what could not be read: where such messages are kept until the reason is mended. Not why they could not be read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from headrace.business.streams.messages import DeadLetter


class DeadLetters(Protocol):
    """The messages of one source of a stream that could not be read, by the epoch in which they came."""

    def save(self, epoch: int, letters: Sequence[DeadLetter]) -> None:
        """Keep the letters of an epoch, in place of those that an interrupted attempt at it has left. Durable when it returns."""
        ...

    def let_go(self, epoch: int) -> None:
        """Forget the letters behind this epoch: it was interrupted, and they come again."""
        ...

    def epochs(self) -> Sequence[int]:
        """The epochs that have letters, oldest first."""
        ...

    def read(self, epoch: int) -> Sequence[DeadLetter]:
        """The letters of an epoch, in the order in which they came; none when it has none."""
        ...

    def remove(self, epoch: int) -> None:
        """Let go of the letters of one epoch, which somebody has dealt with."""
        ...
