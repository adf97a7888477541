"""Tells files that somebody is writing from those that were left alone, also while the clock of the machine is set. Not what is in them."""

from __future__ import annotations

import time
from collections.abc import Callable

#: By how much the clock and one that nobody sets may part between two looks, in seconds, before it is taken for set.
_SET = 0.5


class Settling:
    """What a file's time of change means. A clock that is set makes a file old that was written a moment ago, or young for an hour."""

    def __init__(
        self, seconds: float, clock: Callable[[], float] = time.time, steady: Callable[[], float] = time.monotonic
    ) -> None:
        self.seconds, self._clock, self._steady = seconds, clock, steady
        self._ahead = clock() - steady()
        self._set_at: float | None = None

    def left_alone(self, changed_at: float) -> bool:
        """Whether a file that was changed then, by the clock as it was then, has been left alone for long enough.

        When the clock was just set, nobody can tell. A file that was written since then has a time by the new clock; so one whose time
        is still to come has not been.
        """
        now, steady = self._clock(), self._steady()
        if abs(now - steady - self._ahead) > _SET:
            self._set_at = steady
        self._ahead = now - steady
        if self._set_at is None:
            return now - changed_at >= self.seconds
        return steady - self._set_at >= self.seconds and not 0 <= now - changed_at < self.seconds
