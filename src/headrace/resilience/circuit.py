"""A circuit breaker as a value that can be kept anywhere, a database row included. Not the calling (see `circuit_breaker`)."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Literal

from headrace.errors import CircuitBreakerOpenError, UsageError
from headrace.records import record

State = Literal["CLOSED", "OPEN", "HALF_OPEN"]


@record
class Circuit:
    """A circuit breaker between two calls. Times are seconds on one clock, which is the caller's; each change gives a new value.

    CLOSED lets every call through, until `failure_threshold` of them have failed in a row. OPEN lets none through for
    `recovery_timeout` seconds after the last failure. HALF_OPEN lets one through, the trial: its success closes the circuit, its
    failure opens it again. Source: Michael T. Nygard, "Release It!", 2nd edition, 2018, chapter 5, "Circuit Breaker".

    Ask `allow` before a call, keep what it gives before the call is made, and report the outcome together with the `generation`
    of what it gave. The generation changes with every state and every trial, so what a call of former times comes to, changes
    nothing now. Where several processes share a circuit, read and write it in one transaction.

    `trial_timeout` is after how many seconds a trial without outcome is given up and another may begin; None, the default, waits
    for its outcome for ever. Set it where the caller may die in the middle. Raises `UsageError` for numbers that cannot be.
    """

    failure_threshold: int = 5
    recovery_timeout: float = 60.0
    trial_timeout: float | None = None
    name: str = ""
    """Of the system behind it, for messages."""
    state: State = "CLOSED"
    failure_count: int = 0
    """The calls that failed in a row."""
    last_failure_time: float | None = None
    trial_began: float | None = None
    """When the trial began that is being made; None in every state but HALF_OPEN."""
    generation: int = 0

    def __post_init__(self) -> None:
        if self.failure_threshold < 1:
            raise UsageError(
                f"a circuit breaker cannot open after {self.failure_threshold} failures", hint="give a threshold of 1 or more"
            )
        for name, seconds in (("recovery", self.recovery_timeout), ("trial", self.trial_timeout)):
            if seconds is not None and not 0 <= seconds < math.inf:
                raise UsageError(f"a {name} timeout of {seconds} seconds cannot be", hint="give seconds, 0 or more")

    def allow(self, now: float) -> Circuit:
        """The circuit with a call let through. Raises `CircuitBreakerOpenError`, with the seconds until one may be, if none is."""
        if self.state == "CLOSED":
            return self
        wait = self.wait(now)
        if wait != 0.0:
            raise CircuitBreakerOpenError(self._refusal(), hint=self._advice(wait), retry_after=wait)
        return replace(self, state="HALF_OPEN", trial_began=now, generation=self.generation + 1)

    def wait(self, now: float) -> float | None:
        """The seconds until a call may be let through: 0 if at once, None if that depends on the trial that is being made."""
        if self.state == "CLOSED" or (self.state == "HALF_OPEN" and self.trial_began is None):
            return 0.0
        if self.state == "OPEN":
            return _left(self.last_failure_time, self.recovery_timeout, now)
        return None if self.trial_timeout is None else _left(self.trial_began, self.trial_timeout, now)

    def succeeded(self, generation: int | None = None) -> Circuit:
        """After a call that succeeded. A call of an earlier generation, or one while the circuit is open, changes nothing."""
        if self._is_past(generation):
            return self
        if self.state == "CLOSED":
            return replace(self, failure_count=0)
        return replace(self, state="CLOSED", failure_count=0, trial_began=None, generation=self.generation + 1)

    def failed(self, now: float, generation: int | None = None) -> Circuit:
        """After a call that failed. A call of an earlier generation, or one while the circuit is open, changes nothing."""
        if self._is_past(generation):
            return self
        failed = replace(self, failure_count=self.failure_count + 1, last_failure_time=now)
        if self.state == "CLOSED" and failed.failure_count < self.failure_threshold:
            return failed
        return replace(failed, state="OPEN", trial_began=None, generation=self.generation + 1)

    def undecided(self, generation: int | None = None) -> Circuit:
        """After a call that says nothing of the system, such as one that was cancelled: another trial may be made."""
        return self if self._is_past(generation) or self.trial_began is None else replace(self, trial_began=None)

    def _is_past(self, generation: int | None) -> bool:
        return self.state == "OPEN" or generation not in (None, self.generation)

    def _refusal(self) -> str:
        before = f" before {self.name}" if self.name else ""
        if self.state == "HALF_OPEN":
            return f"the circuit breaker{before} is trying one call: this one was not made"
        times = f"{self.failure_count} failures in a row" if self.failure_count != 1 else "a failure"
        return f"the circuit breaker{before} is open after {times}: the call was not made"

    def _advice(self, wait: float | None) -> str:
        return "call again when the trial has ended" if wait is None else f"call again in {wait:.3g} seconds"


def _left(since: float | None, length: float, now: float) -> float:
    """The seconds of a span that are left, never more than the whole: a clock that was set back must not keep it for longer."""
    return 0.0 if since is None else min(length, max(0.0, since + length - now))
