"""Circuit breakers in the state database: what one process learns of a system, all know, on every database."""

from __future__ import annotations

import pytest
from tests.conformance.state.conftest import Opens

from headrace.application.orchestrator.breakers import FAILURES, RECOVERY, TRIAL, guarded
from headrace.errors import CircuitBreakerOpenError, NonRetryableError, RetryableError
from headrace.infrastructure.storage.breaker_table import DatabaseBreakers

SYSTEM = "postgres://db:5432"


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def both(opens: Opens, clock: Clock) -> tuple[DatabaseBreakers, DatabaseBreakers]:
    """Two processes."""
    return DatabaseBreakers(opens(), clock), DatabaseBreakers(opens(), clock)


def fail(breakers: DatabaseBreakers, times: int = FAILURES) -> None:
    for _ in range(times):
        breakers.ended(SYSTEM, breakers.allow(SYSTEM), failed=True)


def test_failures_of_one_process_keep_another_away(both: tuple[DatabaseBreakers, DatabaseBreakers], clock: Clock) -> None:
    one, other = both
    fail(one, FAILURES - 1)
    other.allow(SYSTEM)
    fail(one, 1)
    with pytest.raises(CircuitBreakerOpenError, match=SYSTEM) as refused:
        other.allow(SYSTEM)
    assert refused.value.retry_after == RECOVERY
    assert [(b.system, b.state, b.failures, b.wait) for b in other.all()] == [(SYSTEM, "OPEN", FAILURES, RECOVERY)]
    assert other.allow("postgres://another:5432") == 0
    clock.now += RECOVERY
    other.allow(SYSTEM)
    with pytest.raises(CircuitBreakerOpenError, match="trying one call"):
        one.allow(SYSTEM)


def test_the_trial_decides(both: tuple[DatabaseBreakers, DatabaseBreakers], clock: Clock) -> None:
    one, other = both
    fail(one)
    clock.now += RECOVERY
    one.ended(SYSTEM, one.allow(SYSTEM), failed=True)
    with pytest.raises(CircuitBreakerOpenError):
        other.allow(SYSTEM)
    clock.now += RECOVERY
    one.ended(SYSTEM, one.allow(SYSTEM), failed=False)
    other.allow(SYSTEM)
    assert [b.state for b in other.all()] == ["CLOSED"]


def test_a_trial_whose_process_died_or_that_says_nothing_gives_way(
    both: tuple[DatabaseBreakers, DatabaseBreakers], clock: Clock
) -> None:
    one, other = both
    fail(one)
    clock.now += RECOVERY
    trial = one.allow(SYSTEM)
    clock.now += TRIAL
    second = other.allow(SYSTEM)
    one.ended(SYSTEM, trial, failed=True)
    assert [b.state for b in one.all()] == ["HALF_OPEN"], "what the first trial comes to does not count any more"
    other.ended(SYSTEM, second, failed=None)
    one.allow(SYSTEM)


def test_a_success_in_between_counts_from_the_start(both: tuple[DatabaseBreakers, DatabaseBreakers]) -> None:
    one, other = both
    fail(one, FAILURES - 1)
    other.ended(SYSTEM, other.allow(SYSTEM), failed=False)
    fail(one, FAILURES - 1)
    other.allow(SYSTEM)


def test_reset_closes_it(both: tuple[DatabaseBreakers, DatabaseBreakers]) -> None:
    one, other = both
    fail(one)
    assert other.reset(SYSTEM)
    one.allow(SYSTEM)
    assert not other.reset(SYSTEM)


def test_only_what_may_pass_speaks_against_the_system(both: tuple[DatabaseBreakers, DatabaseBreakers]) -> None:
    one, _ = both

    def never(_refused: CircuitBreakerOpenError) -> None:
        raise AssertionError("not held off")

    def raising(error: Exception) -> None:
        def call() -> None:
            raise error

        with pytest.raises(type(error)):
            guarded(one, SYSTEM, call, never)

    for _ in range(FAILURES):
        raising(NonRetryableError("the table has another type"))
        raising(KeyError("ours"))
    assert guarded(one, SYSTEM, lambda: 7, never) == 7
    assert one.all() == []
    for _ in range(FAILURES):
        raising(RetryableError("refused"))
    assert [b.state for b in one.all()] == ["OPEN"]
