"""Calls through a circuit breaker: one after the other, at the same time, and cancelled in the middle."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from headrace.errors import CircuitBreakerOpenError, NonRetryableError, RetryableError, UsageError
from headrace.resilience.circuit_breaker import CircuitBreaker
from headrace.resilience.retry import execute_with_retry


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Remote:
    """A system whose calls end when the test says so."""

    def __init__(self) -> None:
        self.calls: list[asyncio.Future[str]] = []

    async def answer(self) -> str:
        self.calls.append(asyncio.get_running_loop().create_future())
        return await self.calls[-1]


async def fails() -> None:
    raise ConnectionError("no route")


async def works(value: str = "rows") -> str:
    return value


async def begun(call: Awaitable[object]) -> asyncio.Task[object]:
    task = asyncio.ensure_future(call)
    await asyncio.sleep(0)
    return task


def told(run: Callable[[CircuitBreaker, Clock, list[str]], Awaitable[None]], **options: object) -> list[str]:
    """The changes of state during a test of a breaker that opens at the first failure, for a minute."""
    clock, changes = Clock(), []
    breaker = CircuitBreaker(1, 60, clock=clock, changed=lambda before, after: changes.append(f"{before} {after}"), **options)
    asyncio.run(run(breaker, clock, changes))
    return changes


async def opened(breaker: CircuitBreaker) -> None:
    with pytest.raises(ConnectionError):
        await breaker.call(fails)


def test_arguments_and_results_go_through():
    async def add(a: int, *, b: int) -> int:
        return a + b

    assert asyncio.run(CircuitBreaker().call(add, 1, b=2)) == 3


def test_it_opens_recovers_and_tells_of_each_change_once():
    async def run(breaker, clock, changes):
        await opened(breaker)
        with pytest.raises(CircuitBreakerOpenError) as refused:
            await breaker.call(works)
        clock.now += refused.value.retry_after
        assert await breaker.call(works, "again") == "again"

    assert told(run) == ["CLOSED OPEN", "OPEN HALF_OPEN", "HALF_OPEN CLOSED"]


def test_an_open_one_does_not_call():
    called = []

    async def notes() -> None:
        called.append(1)

    async def run(breaker, clock, changes):
        await opened(breaker)
        with pytest.raises(CircuitBreakerOpenError, match="before the warehouse is open"):
            await breaker.call(notes)

    told(run, name="the warehouse")
    assert called == []


def test_one_trial_at_a_time():
    async def run(breaker, clock, changes):
        remote = Remote()
        await opened(breaker)
        clock.now = 60.0
        trial = await begun(breaker.call(remote.answer))
        others = await asyncio.gather(*(breaker.call(remote.answer) for _ in range(5)), return_exceptions=True)
        assert {type(o) for o in others} == {CircuitBreakerOpenError}
        assert len(remote.calls) == 1
        remote.calls[0].set_result("rows")
        assert (await trial, breaker.state, breaker.failure_count) == ("rows", "CLOSED", 0)

    told(run)


def test_a_failed_trial_opens_again_at_once_for_the_whole_time():
    async def run(breaker, clock, changes):
        await opened(breaker)
        clock.now = 75.0
        await opened(breaker)
        assert (breaker.state, breaker.last_failure_time) == ("OPEN", 75.0)
        with pytest.raises(CircuitBreakerOpenError) as refused:
            await breaker.call(works)
        assert refused.value.retry_after == 60

    assert told(run) == ["CLOSED OPEN", "OPEN HALF_OPEN", "HALF_OPEN OPEN"]


def test_a_cancelled_call_is_neither_success_nor_failure():
    async def run(breaker, clock, changes):
        remote = Remote()
        call = await begun(breaker.call(remote.answer))
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        assert (call.cancelled(), breaker.state, breaker.failure_count) == (True, "CLOSED", 0)

    assert told(run) == []


def test_a_cancelled_trial_lets_another_begin():
    async def run(breaker, clock, changes):
        remote = Remote()
        await opened(breaker)
        clock.now = 60.0
        trial = await begun(breaker.call(remote.answer))
        trial.cancel()
        await asyncio.gather(trial, return_exceptions=True)
        assert (breaker.state, breaker.failure_count) == ("HALF_OPEN", 1)
        assert await breaker.call(works) == "rows"

    assert told(run) == ["CLOSED OPEN", "OPEN HALF_OPEN", "HALF_OPEN CLOSED"]


@pytest.mark.parametrize("late", ["success", "failure"])
def test_a_call_of_former_times_does_not_decide_for_the_trial(late):
    async def run(breaker, clock, changes):
        slow, remote = Remote(), Remote()
        old = await begun(breaker.call(slow.answer))
        await opened(breaker)
        clock.now = 60.0
        trial = await begun(breaker.call(remote.answer))
        if late == "success":
            slow.calls[0].set_result("late")
        else:
            slow.calls[0].set_exception(ConnectionError("late"))
        await asyncio.gather(old, return_exceptions=True)
        assert (breaker.state, breaker.last_failure_time) == ("HALF_OPEN", 0.0)
        remote.calls[0].set_result("rows")
        await trial
        assert breaker.state == "CLOSED"

    told(run)


def test_what_the_caller_has_to_mend_does_not_speak_against_the_system():
    async def refuses() -> None:
        raise NonRetryableError("there is no table `ordres`")

    async def run(breaker, clock, changes):
        for _ in range(9):
            with pytest.raises(NonRetryableError):
                await breaker.call(refuses)
        assert breaker.state == "CLOSED"
        await opened(breaker)
        clock.now = 60.0
        with pytest.raises(NonRetryableError):
            await breaker.call(refuses)
        assert breaker.state == "HALF_OPEN"
        assert await breaker.call(works) == "rows"

    assert told(run) == ["CLOSED OPEN", "OPEN HALF_OPEN", "HALF_OPEN CLOSED"]


def test_what_counts_can_be_chosen():
    async def refuses() -> None:
        raise NonRetryableError("wrong password")

    async def run(breaker, clock, changes):
        with pytest.raises(ConnectionError):
            await breaker.call(fails)
        assert breaker.state == "CLOSED"
        with pytest.raises(NonRetryableError):
            await breaker.call(refuses)
        assert breaker.state == "OPEN"

    told(run, counts=lambda error: "password" in str(error))


def test_a_retry_waits_for_as_long_as_the_breaker_says():
    clock, waits = Clock(), []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        clock.now += seconds

    async def down() -> str:
        if clock.now < 30:
            raise RetryableError("down")
        return "rows"

    breaker = CircuitBreaker(failure_threshold=1, recovery_timeout=45, clock=clock)
    fetched = execute_with_retry(lambda: breaker.call(down), jitter="none", sleep=sleep, clock=clock)
    assert asyncio.run(fetched) == "rows"
    assert waits == [1.0, 44.0]


def test_numbers_that_cannot_be_are_refused():
    with pytest.raises(UsageError, match="after 0 failures"):
        CircuitBreaker(failure_threshold=0)
