"""When the next request may go: by a rate of our own, and by what the server says of its limits. One for all threads of a reading."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from threading import Lock
from typing import Annotated, Any

from pydantic import AfterValidator

from headrace.business.model.wording import Misworded
from headrace.errors import RetryableError

_RATE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(?:per|/|a|an)\s*(second|sec|s|minute|min|m|hour|h)")
_SECONDS = {"s": 1, "m": 60, "h": 3600}
#: Numbers above are points in time since 1970, below they are seconds from now; in thousandths when larger still.
_EPOCH, _MILLIS = 1e8, 1e11


def per_second(written: str) -> float:
    """A rate as people write it: `5 per second`, `100/minute`. Raises `Misworded`."""
    found = _RATE.fullmatch(written.strip().lower())
    if found is None or float(found[1]) == 0:
        raise Misworded(f"`{written}` is not a rate", "write `5 per second`, `100 per minute` or `1000 per hour`")
    return float(found[1]) / _SECONDS[found[2][0]]


def _checked(written: str) -> str:
    per_second(written)
    return written


Rate = Annotated[str, AfterValidator(_checked)]


class Pace:
    """`longest` is how many seconds may be waited for one request; whoever would have to wait longer gives up instead."""

    def __init__(
        self,
        rate: str | None,
        longest: float,
        wait: Callable[[float], None],
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._gap = 1 / per_second(rate) if rate else 0.0
        self._longest, self._wait, self._clock, self._wall = longest, wait, clock, wall
        self._free = 0.0
        self._lock = Lock()

    def turn(self) -> None:
        """Wait until a request may go. Raises `RetryableError` when that would take too long."""
        with self._lock:
            now = self._clock()
            at = max(now, self._free)
            if at - now > self._longest:
                raise RetryableError(
                    f"the server lets nobody in for {at - now:,.0f} seconds: its limit is used up",
                    hint="run again later, or read less often",
                    retry_after=at - now,
                )
            self._free = at + self._gap
        if at > now:
            self._wait(at - now)

    def pause(self, seconds: float) -> None:
        """Let nobody go for so long."""
        with self._lock:
            self._free = max(self._free, self._clock() + seconds)

    def heed(self, headers: Mapping[str, str]) -> float | None:
        """Pause when the headers of an answer say that nothing is left; for how many seconds."""
        left = _left(headers, self._wall())
        if left is not None:
            self.pause(left)
        return left


def _left(headers: Mapping[str, str], now: float) -> float | None:
    """The seconds until a limit begins anew, if nothing is left of it. `RateLimit` as in the drafts of the IETF, in both forms that it
    had, and its forerunners `X-RateLimit-Remaining` and `-Reset`."""
    for prefix in ("ratelimit", "x-ratelimit", "x-rate-limit"):
        remaining, reset = headers.get(f"{prefix}-remaining"), headers.get(f"{prefix}-reset")
        if remaining is not None and remaining.strip() == "0" and reset is not None:
            return _until(reset.strip(), now)
    for member in headers.get("ratelimit", "").split('"'):
        found: dict[str, Any] = dict(re.findall(r"\b(r|t|remaining|reset)=([0-9]+)", member))
        if found.get("r", found.get("remaining")) == "0" and (reset := found.get("t", found.get("reset"))):
            return _until(reset, now)
    return None


def _until(reset: str, now: float) -> float | None:
    try:
        number = float(reset)
    except ValueError:
        return None
    if number >= _MILLIS:
        number /= 1000
    return max(0.0, number - now if number >= _EPOCH else number)
