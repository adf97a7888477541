"""Whether to try again, and when: a pure decision over numbers. Not the trying and the waiting (see `retry`)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal, get_args

from headrace.errors import RetryableError, UsageError
from headrace.records import record

Jitter = Literal["full", "equal", "none"]
#: A number from 0 up to 1, without 1, as `random.random` gives it.
Random = Callable[[], float]


@record
class RetryPolicy:
    """How often something is attempted, and how long is waited in between. All times are in seconds.

    The bound of the wait after attempt n, counted from 1, is

        min(max_delay, base_delay * exponential_base ** (n - 1))

    and `jitter` chooses below it: `full` anything from 0, `equal` anything from its half, `none` the bound itself. Full jitter
    spreads those who failed together best. Source: Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.

    `budget_seconds` is the time from the first attempt within which the last one must begin; None sets no limit. It does not cut
    off an attempt that is running. Raises `UsageError` for numbers that cannot be.
    """

    attempts: int = 4
    base_delay: float = 1.0
    max_delay: float = 60.0
    exponential_base: float = 2.0
    jitter: Jitter = "full"
    budget_seconds: float | None = None

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise UsageError(f"{self.attempts} attempts are none", hint="1 attempt is one without retries")
        if not (0 <= self.base_delay < math.inf and 0 <= self.max_delay < math.inf):
            raise UsageError(
                f"a wait of {self.base_delay} up to {self.max_delay} seconds cannot be", hint="give seconds, 0 or more"
            )
        if not 1 <= self.exponential_base < math.inf:
            raise UsageError(
                f"waits cannot grow by a factor of {self.exponential_base}", hint="give 1 for equal waits, 2 to double them"
            )
        if self.jitter not in get_args(Jitter):
            raise UsageError(f"there is no jitter `{self.jitter}`", hint=f"choose one of {', '.join(get_args(Jitter))}")
        if self.budget_seconds is not None and not self.budget_seconds >= 0:
            raise UsageError(
                f"a budget of {self.budget_seconds} seconds cannot be", hint="give seconds, 0 or more, or None for no limit"
            )

    def delay(self, attempt: int, random: Random) -> float:
        """The seconds to wait after attempt number `attempt`, counted from 1."""
        try:
            bound = min(self.max_delay, self.base_delay * self.exponential_base ** (attempt - 1))
        except OverflowError:  # the power left the floats long after it left `max_delay`
            bound = self.max_delay if self.base_delay else 0.0
        if self.jitter == "none":
            return bound
        least = bound / 2 if self.jitter == "equal" else 0.0
        return least + (bound - least) * random()

    def next_delay(self, attempt: int, elapsed: float, error: RetryableError, random: Random) -> float | None:
        """The seconds to wait before the next attempt, or None: do not try again.

        `attempt` is the number of the one that failed, `elapsed` the seconds since the first one began. What the error asks for
        in `retry_after` is a least wait, longer than `max_delay` if need be: whoever asks knows better. But it is kept or
        declined as a whole: if it goes beyond the budget, or beyond `max_delay` where there is no budget, nothing is tried.
        """
        if attempt >= self.attempts:
            return None
        asked = error.retry_after or 0.0
        if self.budget_seconds is None:
            return max(asked, self.delay(attempt, random)) if asked <= self.max_delay else None
        delay = max(asked, self.delay(attempt, random))
        return delay if elapsed + delay <= self.budget_seconds else None
