"""Tries again what may succeed later, in coroutines and in plain functions. Not when and how often (see `backoff`)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from random import random as uniform
from time import monotonic
from typing import TypeVar

from headrace.errors import RetryableError
from headrace.resilience.backoff import Jitter, Random, RetryPolicy

T = TypeVar("T")
Clock = Callable[[], float]
Sleep = Callable[[float], Awaitable[None]]
#: Told before each wait: the number of the attempt that failed, counted from 1, the seconds of the wait, and the error.
Told = Callable[[int, float, RetryableError], None]


async def execute_with_retry(
    operation: Callable[[], Awaitable[T]],
    max_retries: int = 3,
    base_delay: float = 1.0,
    max_delay: float = 60.0,
    exponential_base: float = 2.0,
    *,
    jitter: Jitter = "full",
    budget: float | None = None,
    told: Told | None = None,
    sleep: Sleep | None = None,
    clock: Clock = monotonic,
    random: Random = uniform,
) -> T:
    """What `operation` gives, which is called anew, at most `max_retries` times more, when it raises `RetryableError`.

    Delays and `budget` are in seconds; `RetryPolicy` says how they count, and cites the source of the jitter. The error's own
    `retry_after` is waited for. When no further attempt is due the last error goes on unchanged, as every other error does at
    once. Raises `UsageError` for numbers that cannot be. `sleep` (by default that of asyncio), `clock` and `random` can be
    exchanged in tests.
    """
    policy = RetryPolicy(max_retries + 1, base_delay, max_delay, exponential_base, jitter, budget)
    return await execute_under(policy, operation, told=told, sleep=sleep, clock=clock, random=random)


async def execute_under(
    policy: RetryPolicy,
    operation: Callable[[], Awaitable[T]],
    *,
    told: Told | None = None,
    sleep: Sleep | None = None,
    clock: Clock = monotonic,
    random: Random = uniform,
) -> T:
    """The same as `execute_with_retry`, with its numbers in a policy."""
    if sleep is None:
        import asyncio  # whoever awaits this has it loaded; whoever only imports this room may never need it

        sleep = asyncio.sleep
    attempts = _Attempts(policy, told, clock, random)
    while True:
        try:
            return await operation()
        except RetryableError as error:
            delay = attempts.after(error)
            if delay is None:
                raise
        await sleep(delay)


def retrying(
    policy: RetryPolicy,
    operation: Callable[[], T],
    *,
    wait: Callable[[float], None],
    told: Told | None = None,
    passes: Callable[[RetryableError], bool] = lambda _error: True,
    nested: bool = False,
    clock: Clock = monotonic,
    random: Random = uniform,
) -> T:
    """What `operation` gives, which is called anew, as the policy allows, when it raises `RetryableError`.

    What is `nested` says in its last error how often it was attempted, so that whoever tries again around it goes on counting from
    there, and attempts do not multiply. `wait` is given seconds and waits for them; whatever it raises ends the matter, so a run that is
    cancelled need not sit out its back-off. Every error but `RetryableError` goes on at once; so does one that does not pass by calling
    anew, of which `passes` says so, and the last one of all.
    """
    attempts = _Attempts(policy, told, clock, random)
    while True:
        try:
            return operation()
        except RetryableError as error:
            delay = attempts.after(error) if passes(error) else None
            if delay is None:
                if nested:
                    error.attempts = max(error.attempts, attempts.failed)
                raise
        wait(delay)


class _Attempts:
    """Counts the attempts and their time, and asks the policy what follows one that failed.

    Attempts that were made within an operation, under a policy of its own, count as well.
    """

    def __init__(self, policy: RetryPolicy, told: Told | None, clock: Clock, random: Random) -> None:
        self._policy, self._told, self._clock, self._random = policy, told, clock, random
        self._began, self.failed = clock(), 0

    def after(self, error: RetryableError) -> float | None:
        """The seconds to wait before the next attempt, or None if the error is final."""
        self.failed += error.attempts
        delay = self._policy.next_delay(self.failed, self._clock() - self._began, error, self._random)
        if delay is not None and self._told is not None:
            self._told(self.failed, delay, error)
        return delay
