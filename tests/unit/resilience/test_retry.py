"""What is tried again and what is not: the same in coroutines and in plain functions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from headrace.errors import ContractBroken, NonRetryableError, RetryableError, UsageError
from headrace.resilience.backoff import RetryPolicy
from headrace.resilience.retry import execute_under, execute_with_retry, retrying


class Cancelled(Exception):
    """What a wait raises when the run was cancelled."""


@dataclass
class World:
    """An operation that comes to one outcome after another, and a clock that runs only while somebody waits or works."""

    outcomes: list[BaseException | str]
    each: float = 0.0
    now: float = 1000.0
    calls: int = 0
    waits: list[float] = field(default_factory=list)
    told: list[tuple[int, float, str]] = field(default_factory=list)
    interrupted: bool = False

    def operate(self) -> str:
        self.calls += 1
        self.now += self.each
        outcome = self.outcomes[min(self.calls, len(self.outcomes)) - 1]
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def wait(self, seconds: float) -> None:
        if self.interrupted:
            raise Cancelled
        self.waits.append(seconds)
        self.now += seconds

    def tell(self, attempt: int, seconds: float, error: RetryableError) -> None:
        self.told.append((attempt, seconds, error.message))


def in_a_coroutine(world: World, policy: RetryPolicy) -> str:
    async def operate() -> str:
        return world.operate()

    async def sleep(seconds: float) -> None:
        world.wait(seconds)

    return asyncio.run(
        execute_under(policy, operate, told=world.tell, sleep=sleep, clock=lambda: world.now, random=lambda: 0.5)
    )


def in_a_function(world: World, policy: RetryPolicy) -> str:
    return retrying(policy, world.operate, wait=world.wait, told=world.tell, clock=lambda: world.now, random=lambda: 0.5)


Way = Callable[[World, RetryPolicy], str]
both = pytest.mark.parametrize("way", [in_a_coroutine, in_a_function])
DOWN = RetryableError("down")


@both
def test_what_succeeds_is_done_once(way):
    world = World(["rows"])
    assert (way(world, RetryPolicy()), world.calls, world.waits) == ("rows", 1, [])


@both
def test_it_is_tried_until_it_succeeds_and_each_wait_is_told_before(way):
    world = World([DOWN, RetryableError("locked"), "rows"])
    assert way(world, RetryPolicy()) == "rows"
    assert world.waits == [0.5, 1.0]
    assert world.told == [(1, 0.5, "down"), (2, 1.0, "locked")]


@both
def test_after_the_last_attempt_its_own_error_goes_on(way):
    errors = [RetryableError(f"down {n}") for n in range(3)]
    world = World(list(errors))
    with pytest.raises(RetryableError) as raised:
        way(world, RetryPolicy(attempts=3))
    assert raised.value is errors[2]
    assert (world.calls, len(world.waits), len(world.told)) == (3, 2, 2)


@both
@pytest.mark.parametrize(
    ("inside", "around", "calls"), [(3, 3, 3), (6, 3, 6), (2, 5, 6), (1, 4, 4)], ids=lambda number: str(number)
)
def test_attempts_inside_of_an_operation_count_among_those_around_it(way, inside, around, calls):
    """And do not multiply with them: nobody is asked more often than the larger of the two allows, but for a round that is begun."""
    asked: list[int] = []

    def ask() -> str:
        asked.append(1)
        raise RetryableError("down")

    world = World(["rows"])
    world.operate = lambda: retrying(RetryPolicy(attempts=inside), ask, wait=world.wait, nested=True)
    with pytest.raises(RetryableError):
        way(world, RetryPolicy(attempts=around))
    assert len(asked) == calls


@both
@pytest.mark.parametrize(
    "error", [NonRetryableError("mend it"), ContractBroken("a rule"), ValueError("odd"), KeyboardInterrupt()]
)
def test_nothing_else_is_tried_again(way, error):
    world = World([error, "rows"])
    with pytest.raises(type(error)) as raised:
        way(world, RetryPolicy())
    assert raised.value is error
    assert (world.calls, world.waits) == (1, [])


@both
def test_an_error_says_when_to_come_again(way):
    world = World([RetryableError("busy", retry_after=9), "rows"])
    assert (way(world, RetryPolicy()), world.waits) == ("rows", [9])


@both
def test_the_budget_counts_work_and_waits(way):
    world = World([DOWN], each=10)
    with pytest.raises(RetryableError):
        way(world, RetryPolicy(attempts=100, jitter="none", budget_seconds=35))
    # 10 + 1 + 10 + 2 + 10 = 33 seconds are over when the third attempt fails, and the next wait would be 4.
    assert (world.calls, world.waits) == (3, [1, 2])


@both
def test_a_wait_that_raises_ends_the_matter(way):
    world = World([DOWN, "rows"], interrupted=True)
    with pytest.raises(Cancelled) as raised:
        way(world, RetryPolicy())
    assert world.calls == 1
    assert raised.value.__context__ is None, "the cancellation is not told as a mishap of the error handling"


def test_the_arguments_are_the_policy():
    world = World([DOWN])

    async def operate() -> str:
        return world.operate()

    async def sleep(seconds: float) -> None:
        world.wait(seconds)

    with pytest.raises(RetryableError):
        asyncio.run(execute_with_retry(operate, 4, 2.0, 20.0, 3.0, jitter="none", sleep=sleep, told=world.tell))
    assert world.waits == [2, 6, 18, 20]
    assert [attempt for attempt, _, _ in world.told] == [1, 2, 3, 4]


def test_by_default_it_waits_as_asyncio_does():
    world = World([DOWN, DOWN, "rows"])

    async def operate() -> str:
        return world.operate()

    async def both_at_once() -> tuple[str, str]:
        async def other() -> str:
            return "meanwhile"

        return await asyncio.gather(execute_with_retry(operate, base_delay=0.0), other())

    assert asyncio.run(both_at_once()) == ["rows", "meanwhile"]


def test_a_sleeping_retry_can_be_cancelled():
    world = World([DOWN])
    asleep = asyncio.Event()

    async def operate() -> str:
        return world.operate()

    async def sleep(seconds: float) -> None:
        asleep.set()
        await asyncio.Event().wait()

    async def cancel() -> None:
        task = asyncio.ensure_future(execute_with_retry(operate, sleep=sleep))
        await asleep.wait()
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cancel())
    assert world.calls == 1


def test_numbers_that_cannot_be_are_refused_before_anything_is_tried():
    world = World(["rows"])

    async def operate() -> str:
        return world.operate()

    with pytest.raises(UsageError, match="0 attempts are none"):
        asyncio.run(execute_with_retry(operate, max_retries=-1))
    assert world.calls == 0
