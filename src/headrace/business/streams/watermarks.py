"""How far event time has come: in each partition, and for windows. Follows the data and nothing else.

Times are microseconds since 1970. Whoever asks says which partitions are idle, because that takes a clock.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from headrace.records import record


@record
class Woken:
    """A partition that had been idle goes on, while windows have closed without it: rows behind this position that belong to windows
    up to the horizon are late. A replay is told so at the same position."""

    partition: str
    position: str
    horizon: int


class Watermarks:
    """Those of one source. A watermark never falls, and neither does the horizon."""

    def __init__(self, delay: int, saved: Mapping[str, Any] | None = None) -> None:
        self.delay = delay
        self._highest: dict[str, int] = dict(saved["highest"]) if saved else {}
        self._woke: dict[str, int] = dict(saved.get("woke", {})) if saved else {}
        self._horizon: int | None = saved["horizon"] if saved else None

    def own(self, partition: str) -> int | None:
        """A partition's own watermark; None before its first row. One that woke is where the others had come to without it."""
        highest, woke = self._highest.get(partition), self._woke.get(partition)
        if highest is None or (woke is not None and woke > highest - self.delay):
            return woke
        return highest - self.delay

    def woke(self, woken: Woken) -> None:
        """From here on its rows are late by what became while it was silent."""
        self._woke[woken.partition] = woken.horizon

    def observe(self, partition: str, highest: int | None) -> None:
        """Its good rows have come up to this time."""
        if highest is not None:
            self._highest[partition] = max(highest, self._highest.get(partition, highest))

    @property
    def horizon(self) -> int | None:
        """Windows that end here or before are closed."""
        return self._horizon

    @property
    def reached(self) -> int | None:
        """What the watermarks of all partitions that have rows have come to."""
        return min(self._highest.values()) - self.delay if self._highest else None

    def closed(self, horizon: int) -> None:
        """Windows that end there or before are closed, as whoever knows of all partitions has said."""
        self._horizon = horizon if self._horizon is None else max(self._horizon, horizon)

    @property
    def ended(self) -> bool:
        """Whether windows are closed because nothing more was to come, and not because time went on."""
        return self._horizon is not None and self._horizon - max(self._highest.values(), default=self._horizon) > ENOUGH // 2

    def advance(self, partitions: Iterable[str], idle: Collection[str]) -> int | None:
        """The horizon as it is now. A partition that is awake holds it down to its own watermark, and keeps it where it is while it
        has none; where all are idle, it is what the furthest of them has come to."""
        awake = [self.own(partition) for partition in partitions if partition not in idle]
        if not awake:
            awake = [max(self._highest.values(), default=self.delay) - self.delay] if self._highest else [None]
        known = [own for own in awake if own is not None]
        if len(known) == len(awake):
            self._horizon = min(known) if self._horizon is None else max(self._horizon, min(known))
        return self._horizon

    def end(self) -> int | None:
        """Nothing more will come: past everything that was seen."""
        if self._highest:
            self._horizon = max(self._highest.values()) + ENOUGH
        return self._horizon

    def saved(self) -> Mapping[str, Any]:
        return {"highest": dict(self._highest), "woke": dict(self._woke), "horizon": self._horizon}


#: Longer than any window with its lateness: a thousand years.
ENOUGH = 1000 * 366 * 86_400 * 1_000_000
