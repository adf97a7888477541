"""The specification's own code for retries, circuit breakers, ETL and ELT, run as it is written, and ours beside it on the same events.

The blocks lie beside this file, word for word. Where ours differs on purpose, a test says so.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace import orchestration as ours
from headrace.orchestration import CircuitBreakerOpenError, NonRetryableError, RetryableError, RetryPolicy

Events = list[tuple[str, Any]]
#: All that the tests here let go wrong.
RAISED = (RetryableError, NonRetryableError, ConnectionError, ValueError)


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def specified(name: str, **surroundings: Any) -> dict[str, Any]:
    """The names that a block of the specification defines, when its code runs with what it takes for given."""
    names = {"Callable": Callable, "Any": Any, "RetryableError": RetryableError, "NonRetryableError": NonRetryableError}
    names |= {"CircuitBreakerOpenError": CircuitBreakerOpenError, **surroundings}
    source = Path(__file__).with_name(f"{name}.py.txt")
    exec(compile(source.read_text(encoding="utf-8"), str(source), "exec"), names)
    return names


# Circuit breaker


def breakers(threshold: int, recovery: float) -> list[tuple[Any, Clock]]:
    """The specification's breaker and ours, made by the same words, each with its clock."""
    theirs, clock = Clock(), Clock()
    block = specified("circuit_breaker", time=SimpleNamespace(time=theirs))
    return [
        (block["CircuitBreaker"](failure_threshold=threshold, recovery_timeout=recovery), theirs),
        (ours.CircuitBreaker(failure_threshold=threshold, recovery_timeout=recovery, clock=clock), clock),
    ]


async def lived(breaker: Any, clock: Clock, events: Events) -> list[tuple[Any, ...]]:
    """What a breaker shows after each event: a call that succeeds or fails, or seconds that go by."""
    shown = []
    for kind, value in events:
        outcome = None
        if kind == "wait":
            clock.now += value
        else:

            async def func(given: Any, *, kind: str = kind) -> Any:
                if kind == "fail":
                    raise given
                return given

            try:
                outcome = await breaker.call(func, value)
            except RAISED as error:
                outcome = type(error)
        shown.append((outcome, breaker.state, breaker.failure_count, breaker.last_failure_time))
    return shown


OK, DOWN, BUSY = ("ok", "rows"), ("fail", ConnectionError("down")), ("fail", RetryableError("busy"))
SCENARIOS: dict[str, Events] = {
    "nothing but success": [OK, OK],
    "fewer failures than the threshold": [DOWN, DOWN, OK, DOWN, DOWN],
    "opens at the threshold": [DOWN, BUSY, DOWN, OK, OK],
    "stays open while the time is not over": [DOWN, DOWN, DOWN, ("wait", 59), OK],
    "recovers": [DOWN, DOWN, DOWN, ("wait", 60), OK, DOWN, OK],
    "fails its trial": [DOWN, DOWN, DOWN, ("wait", 60), DOWN, OK, ("wait", 59), OK, ("wait", 1), OK],
}


@pytest.mark.parametrize("events", SCENARIOS.values(), ids=SCENARIOS.keys())
def test_both_breakers_live_through_a_scenario_alike(events):
    theirs, mine = (asyncio.run(lived(*pair, events)) for pair in breakers(3, 59.5))
    assert mine == theirs


@given(
    st.integers(1, 4),
    st.integers(0, 9),
    st.lists(st.sampled_from([OK, DOWN, BUSY]) | st.tuples(st.just("wait"), st.integers(0, 9))),
)
def test_both_breakers_live_through_anything_alike(threshold, recovery, events):
    # The half keeps them from the one moment where they differ: theirs waits for the timeout to be over, ours until it is.
    theirs, mine = (asyncio.run(lived(*pair, events)) for pair in breakers(threshold, recovery + 0.5))
    assert mine == theirs


def test_both_breakers_begin_alike():
    (theirs, _), (mine, _) = breakers(3, 59.5)
    block = specified("circuit_breaker", time=SimpleNamespace(time=Clock()))
    assert {name: getattr(mine, name) for name in vars(theirs)} == vars(theirs)
    made = ours.CircuitBreaker()
    assert {name: getattr(made, name) for name in vars(theirs)} == vars(block["CircuitBreaker"]())


def test_ours_does_not_count_what_the_caller_has_to_mend():
    events: Events = [("fail", NonRetryableError("no such table"))] * 3
    theirs, mine = (asyncio.run(lived(*pair, events))[-1][1:3] for pair in breakers(3, 59.5))
    assert (theirs, mine) == (("OPEN", 3), ("CLOSED", 0))


def test_ours_tries_one_call_where_theirs_lets_all_through():
    async def passed(breaker: Any, clock: Clock) -> int:
        calls = []

        async def slow() -> None:
            calls.append(1)
            await asyncio.sleep(0)

        await lived(breaker, clock, [DOWN, ("wait", 60)])
        await asyncio.gather(*(breaker.call(slow) for _ in range(4)), return_exceptions=True)
        return len(calls)

    assert [asyncio.run(passed(*pair)) for pair in breakers(1, 59.5)] == [4, 1]


# Retry


def outcomes_of(errors: list[Exception | None]) -> Callable[[], Any]:
    left = iter(errors)

    async def operation() -> str:
        if (error := next(left, None)) is not None:
            raise error
        return "rows"

    return operation


def retried(
    execute: Any, slept: list[float], errors: list[Exception | None], *numbers: float, **options: Any
) -> tuple[Any, ...]:
    """What a retry comes to, and for how long it slept on the way."""
    slept.clear()
    try:
        return asyncio.run(execute(outcomes_of(errors), *numbers, **options)), list(slept)
    except RAISED as error:
        return error, list(slept)


def sleeper() -> tuple[Any, list[float]]:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    return sleep, slept


ERRORS = st.sampled_from(
    [RetryableError("busy"), RetryableError("down"), NonRetryableError("mend it"), ValueError("odd"), None]
)


@given(
    st.lists(ERRORS, max_size=6),
    st.integers(0, 5),
    st.sampled_from([0.0, 0.5, 1.0, 3.0]),
    st.sampled_from([0.0, 2.0, 60.0]),
    st.sampled_from([1.0, 2.0, 3.0]),
)
def test_without_jitter_ours_does_what_the_specified_code_does(errors, retries, base, longest, factor):
    numbers = (retries, base, longest, factor)
    sleep, slept = sleeper()
    block = specified("execute_with_retry", asyncio=SimpleNamespace(sleep=sleep))
    theirs = retried(block["execute_with_retry"], slept, errors, *numbers)
    assert retried(ours.execute_with_retry, slept, errors, *numbers, jitter="none", sleep=sleep) == theirs


@given(st.lists(ERRORS, max_size=6))
def test_with_jitter_ours_waits_as_often_and_never_longer(errors):
    sleep, slept = sleeper()
    block = specified("execute_with_retry", asyncio=SimpleNamespace(sleep=sleep))
    theirs, their_waits = retried(block["execute_with_retry"], slept, errors)
    mine, my_waits = retried(ours.execute_with_retry, slept, errors, sleep=sleep)
    assert (mine, len(my_waits)) == (theirs, len(their_waits))
    assert all(0 <= mine <= theirs for mine, theirs in zip(my_waits, their_waits, strict=True))


def test_ours_takes_the_specified_arguments_in_their_order():
    block = specified("execute_with_retry", asyncio=asyncio)
    theirs = inspect.signature(block["execute_with_retry"]).parameters.values()
    mine = [p for p in inspect.signature(ours.execute_with_retry).parameters.values() if p.kind != p.KEYWORD_ONLY]
    assert [(p.name, p.default) for p in mine] == [(p.name, p.default) for p in theirs]


# ETL and ELT


class Part:
    """An extractor, transformer and loader in one that notes what it is asked for."""

    def __init__(self, name: str, notes: list[Any], fails: list[Exception] | None = None) -> None:
        self.name, self.notes, self.fails = name, notes, fails or []

    async def _note(self, *what: Any) -> Any:
        self.notes.append((self.name, *what))
        if self.fails:
            raise self.fails.pop(0)
        return f"{what[0]} of {what[1]}"

    async def extract(self, source: str) -> Any:
        return await self._note("extract", source)

    async def transform(self, data: Any) -> Any:
        return await self._note("transform", data)

    async def load(self, data: Any, destination: str) -> None:
        await self._note("load", data, destination)

    async def transform_in_place(self, staging: str, destination: str) -> None:
        await self._note("transform_in_place", staging, destination)


WAYS = {
    "ETLPipeline": ("etl_pipeline", ("extractor", "transformer", "loader"), ("orders.csv", "warehouse.orders")),
    "ELTPipeline": ("elt_pipeline", ("extractor", "loader", "transformer"), ("orders.csv", "raw.orders", "warehouse.orders")),
}
NO_WAIT = RetryPolicy(base_delay=0.0)


def moved(
    pipeline: type, parts: tuple[str, ...], places: tuple[str, ...], fails: dict[str, list[Exception]], **options: Any
) -> list[Any]:
    """What the parts of a pipeline are asked for, in order; the error at the end, if it raises one."""
    notes: list[Any] = []
    made = pipeline(*(Part(name, notes, fails.get(name)) for name in parts), **options)
    assert [getattr(made, name).name for name in parts] == list(parts)
    try:
        notes.append(asyncio.run(made.execute(*places)))
    except RAISED as error:
        notes.append(error)
    return notes


@pytest.mark.parametrize("name", WAYS)
def test_ours_moves_data_as_the_specified_code_does(name):
    block, parts, places = WAYS[name]
    theirs = moved(specified(block)[name], parts, places, {})
    assert moved(getattr(ours, name), parts, places, {}) == theirs
    assert len(theirs) == 4


@pytest.mark.parametrize("name", WAYS)
@pytest.mark.parametrize("part", ["extractor", "transformer", "loader"])
def test_an_error_ends_both_at_the_same_phase(name, part):
    block, parts, places = WAYS[name]
    error = ValueError("broken")
    assert moved(getattr(ours, name), parts, places, {part: [error]}) == moved(
        specified(block)[name], parts, places, {part: [error]}
    )


@pytest.mark.parametrize("name", WAYS)
@pytest.mark.parametrize("part", ["extractor", "transformer", "loader"])
def test_ours_tries_a_phase_again_by_itself(name, part):
    block, parts, places = WAYS[name]
    smooth = moved(specified(block)[name], parts, places, {})
    at = next(n for n, note in enumerate(smooth) if note[0] == part)
    rough = moved(getattr(ours, name), parts, places, {part: [RetryableError("busy")] * 2}, retry=NO_WAIT)
    assert rough == [*smooth[:at], smooth[at], smooth[at], *smooth[at:]]


def test_a_policy_can_be_given():
    _, parts, places = WAYS["ETLPipeline"]
    error = RetryableError("down")
    *notes, raised = moved(ours.ETLPipeline, parts, places, {"extractor": [error]}, retry=RetryPolicy(attempts=1))
    assert (len(notes), raised) == (1, error)
