"""Keeps runs away from a remote system that fails, all of them together: the port of its circuit breakers, and one call under one.

What opens and closes a circuit is said in `resilience.circuit`; where its state lies, is the adapter's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol, TypeVar

from headrace.errors import CircuitBreakerOpenError, RetryableError
from headrace.records import record
from headrace.resilience.circuit import State

T = TypeVar("T")

#: After how many failures in a row a circuit opens, for how many seconds, and how long a trial may take before another is made.
FAILURES, RECOVERY, TRIAL = 5, 60.0, 300.0


@record
class KnownBreaker:
    """The circuit of a system, and the seconds until a call may be let through: 0 if at once."""

    system: str
    state: State
    failures: int
    wait: float


class Breakers(Protocol):
    """The circuits of all systems, shared by all who use the same state database."""

    def allow(self, system: str) -> int:
        """Let a call through: its generation. Raises `CircuitBreakerOpenError`."""
        ...

    def ended(self, system: str, generation: int, failed: bool | None) -> None:
        """What a call came to; None when that says nothing of the system."""
        ...

    def all(self) -> Sequence[KnownBreaker]: ...

    def reset(self, system: str) -> bool:
        """Close a circuit by hand. Whether there was one."""
        ...


class Postponed(Exception):
    """The run was given back to the queue, to be gone on with later. Not an error: nothing has failed."""


def guarded(
    breakers: Breakers, system: str, operation: Callable[[], T], hold_off: Callable[[CircuitBreakerOpenError], None]
) -> T:
    """What `operation` gives, which is called when the circuit of the system allows it. `hold_off` waits, or raises."""
    generation = None
    while generation is None:
        try:
            generation = breakers.allow(system)
        except CircuitBreakerOpenError as refused:
            hold_off(refused)
    failed: bool | None = None
    try:
        result = operation()
        failed = False
    except RetryableError:
        failed = True
        raise
    finally:
        with suppress(RetryableError):  # the state database is away: what the call came to is worth more than its record
            breakers.ended(system, generation, failed)
    return result


def system_of(plugin: object) -> str | None:
    """The remote system that a source or sink reaches, where it says so."""
    system = getattr(plugin, "system", None)
    return system if isinstance(system, str) else None
