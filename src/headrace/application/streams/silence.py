"""Notices by the clock that nothing comes from a source. It tells of that, and changes nothing: what rows mean goes by event time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

from headrace.bus.streams import SourceHeardEvent, SourceSilentEvent


class Silence:
    """Of each source, how long it was listened to in vain."""

    def __init__(
        self, run_id: str, after_seconds: float, sources: Iterable[str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.run_id, self.after, self._clock = run_id, after_seconds, clock
        now = clock()
        self._heard = dict.fromkeys(sources, now)
        self._silent: set[str] = set()

    def heard(self, source: str) -> Iterator[SourceHeardEvent]:
        """Something came, which is to be told where it had been silent."""
        self._heard[source] = self._clock()
        if source in self._silent:
            self._silent.remove(source)
            yield SourceHeardEvent(self.run_id, source)

    def listening(self) -> Iterator[SourceSilentEvent]:
        """The silences to be told by now: each once, when it has lasted long enough."""
        now = self._clock()
        for source, at in self._heard.items():
            if source not in self._silent and now - at >= self.after:
                self._silent.add(source)
                yield SourceSilentEvent(self.run_id, source, self.after)

    def paused(self) -> None:
        """Nobody listens for now: the silence that was is none of the sources'."""
        self._heard = dict.fromkeys(self._heard, self._clock())
