"""Keeps calls away from a system that fails, until it has had time to recover. Not the rules of that (see `circuit`)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from time import monotonic
from typing import ParamSpec, TypeVar

from headrace.errors import NonRetryableError
from headrace.resilience.circuit import Circuit, State

P = ParamSpec("P")
T = TypeVar("T")


def speaks_against_the_system(error: Exception) -> bool:
    """Whether an error is a failure of the system that was called. A `NonRetryableError` is not: the system has answered, and what
    has to be mended is the caller's."""
    return not isinstance(error, NonRetryableError)


class CircuitBreaker:
    """Stands before one system. `recovery_timeout` is in seconds; for the rules and their source see `Circuit`.

        breaker = CircuitBreaker(failure_threshold=5, recovery_timeout=60)
        rows = await breaker.call(client.fetch, "orders")

    What counts as a failure is for `counts` to say; by default it is every `Exception` but `NonRetryableError`. What does not
    count, and a call that is cancelled, is neither a failure nor a success. `changed` is told of each change of state, with the
    state before and after; it must not raise. `name` is that of the system, for messages. `clock` gives seconds that never go
    back. A breaker belongs to one event loop.
    """

    def __init__(
        self,
        failure_threshold: int = 5,
        recovery_timeout: float = 60,
        *,
        name: str = "",
        counts: Callable[[Exception], bool] = speaks_against_the_system,
        changed: Callable[[State, State], None] | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._circuit = Circuit(failure_threshold, recovery_timeout, name=name)
        self._counts, self._changed, self._clock = counts, changed, clock

    @property
    def failure_threshold(self) -> int:
        """After how many failures in a row it opens."""
        return self._circuit.failure_threshold

    @property
    def recovery_timeout(self) -> float:
        """For how many seconds after the last failure it lets no call through."""
        return self._circuit.recovery_timeout

    @property
    def failure_count(self) -> int:
        """How many calls have failed in a row."""
        return self._circuit.failure_count

    @property
    def last_failure_time(self) -> float | None:
        """When the last call failed, in seconds on its clock; None before the first."""
        return self._circuit.last_failure_time

    @property
    def state(self) -> State:
        """`CLOSED`, `OPEN` or `HALF_OPEN`. An open one is half open only once a call comes after the recovery timeout."""
        return self._circuit.state

    async def call(self, func: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `func` gives for the arguments. Raises what it raises, or `CircuitBreakerOpenError` without calling it."""
        admitted = self._circuit.allow(self._clock())
        failed: bool | None = None
        try:
            self._become(admitted)
            result = await func(*args, **kwargs)
            failed = False
        except Exception as error:
            failed = True if self._counts(error) else None
            raise
        finally:  # a call that is cancelled comes by here only, and leaves no trial open
            self._become(self._after(failed, admitted.generation))
        return result

    def _after(self, failed: bool | None, generation: int) -> Circuit:
        if failed is None:
            return self._circuit.undecided(generation)
        return self._circuit.failed(self._clock(), generation) if failed else self._circuit.succeeded(generation)

    def _become(self, circuit: Circuit) -> None:
        before, self._circuit = self._circuit.state, circuit
        if self._changed is not None and before != circuit.state:
            self._changed(before, circuit.state)
