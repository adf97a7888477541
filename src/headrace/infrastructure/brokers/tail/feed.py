"""An open feed of files: asks each of the paths in turn for what has come, and waits a little when nothing has."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from headrace.business.ports import Position
from headrace.business.streams.messages import Messages
from headrace.errors import HeadraceError
from headrace.infrastructure.brokers.tail.files import Followed

#: How often it is looked for more while nothing comes.
_LOOK_SECONDS = 0.02


class TailFeed:
    """Some paths, each a partition."""

    exhausted = False

    def __init__(self, followed: Mapping[str, Followed]) -> None:
        self._followed = followed

    def partitions(self) -> Sequence[str]:
        return tuple(self._followed)

    def poll(self, most: int, wait_seconds: float) -> Sequence[Messages]:
        until, each = time.monotonic() + wait_seconds, max(1, most // max(1, len(self._followed)))
        while True:
            given = self._read(each)
            left = until - time.monotonic()
            if given or left <= 0:
                return given
            time.sleep(min(left, _LOOK_SECONDS))

    def _read(self, each: int) -> Sequence[Messages]:
        """What is there. Whatever is raised behind something that was read is left to be met again: that is given out first."""
        given: list[Messages] = []
        for one in self._followed.values():
            try:
                messages = one.read(each)
            except HeadraceError:
                if given:
                    break
                raise
            if messages is not None:
                given.append(messages)
        return given

    def acknowledge(self, positions: Mapping[str, Position]) -> None:
        """Files stay where they are."""

    def lag(self) -> Mapping[str, int | None]:
        return {path: one.waiting() for path, one in self._followed.items()}

    def close(self) -> None:
        for one in self._followed.values():
            one.close()
