"""When an operation is tried again, and after how long."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.errors import RetryableError, UsageError
from headrace.resilience.backoff import RetryPolicy

SECONDS = st.floats(0, 1e6)
CHANCE = st.floats(0, 1, exclude_max=True)
POLICIES = st.builds(
    RetryPolicy,
    attempts=st.integers(1, 50),
    base_delay=SECONDS,
    max_delay=SECONDS,
    exponential_base=st.floats(1, 1e300),
    jitter=st.sampled_from(["full", "equal", "none"]),
    budget_seconds=st.none() | SECONDS,
)
DOWN = RetryableError("down")


def test_without_jitter_waits_double_up_to_the_longest():
    policy = RetryPolicy(jitter="none")
    assert [policy.delay(n, lambda: 0.3) for n in range(1, 9)] == [1, 2, 4, 8, 16, 32, 60, 60]


@pytest.mark.parametrize(("jitter", "least"), [("full", 0.0), ("equal", 2.0)])
def test_jitter_chooses_between_its_least_and_the_bound(jitter, least):
    policy = RetryPolicy(jitter=jitter)
    assert [policy.delay(3, lambda chance=chance: chance) for chance in (0.0, 0.5, 1.0)] == [least, (least + 4) / 2, 4.0]


@given(POLICIES, st.integers(1, 10**6), CHANCE)
def test_no_wait_is_negative_or_longer_than_the_longest(policy, attempt, chance):
    assert 0 <= policy.delay(attempt, lambda: chance) <= policy.max_delay


@given(POLICIES, st.integers(1, 10**6))
def test_the_bound_never_shrinks_from_one_attempt_to_the_next(policy, attempt):
    assert policy.delay(attempt, lambda: 1.0) <= policy.delay(attempt + 1, lambda: 1.0)


def test_waits_of_nothing_stay_nothing_however_often():
    assert RetryPolicy(base_delay=0, jitter="none").delay(10**6, lambda: 1.0) == 0


@given(POLICIES, st.integers(1, 60), SECONDS, st.none() | SECONDS, CHANCE)
def test_what_is_tried_again_is_within_every_limit(policy, attempt, elapsed, asked, chance):
    delay = policy.next_delay(attempt, elapsed, RetryableError("down", retry_after=asked), lambda: chance)
    if delay is None:
        return
    assert attempt < policy.attempts
    assert delay >= (asked or 0)
    if policy.budget_seconds is None:
        assert delay <= policy.max_delay
    else:
        assert elapsed + delay <= policy.budget_seconds


@given(POLICIES, SECONDS)
def test_the_last_attempt_is_the_last(policy, elapsed):
    assert policy.next_delay(policy.attempts, elapsed, DOWN, lambda: 0.0) is None


def next_delay(asked, *, budget=None, elapsed=0.0):
    policy = RetryPolicy(jitter="none", budget_seconds=budget)
    return policy.next_delay(1, elapsed, RetryableError("busy", retry_after=asked), lambda: 0.0)


@pytest.mark.parametrize(("asked", "delay"), [(None, 1), (0, 1), (-5, 1), (0.5, 1), (7, 7), (60, 60)])
def test_what_the_error_asks_for_is_a_least_wait(asked, delay):
    assert next_delay(asked) == delay


def test_a_longer_wait_than_the_longest_is_declined_and_not_cut_short():
    assert next_delay(61) is None


def test_within_a_budget_the_error_may_ask_for_more_than_the_longest_wait():
    assert next_delay(120, budget=600) == 120


@pytest.mark.parametrize(("elapsed", "delay"), [(0, 7), (3, 7), (3.5, None), (11, None)])
def test_no_attempt_begins_beyond_the_budget(elapsed, delay):
    assert next_delay(7, budget=10, elapsed=elapsed) == delay


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"attempts": 0}, "0 attempts"),
        ({"base_delay": -1}, "-1 up to 60.0 seconds"),
        ({"max_delay": math.inf}, "up to inf seconds"),
        ({"base_delay": math.nan}, "nan up to"),
        ({"exponential_base": 0.5}, "factor of 0.5"),
        ({"exponential_base": math.nan}, "factor of nan"),
        ({"jitter": "some"}, "no jitter `some`\n    choose one of full, equal, none"),
        ({"budget_seconds": -1}, "budget of -1 seconds"),
        ({"budget_seconds": math.nan}, "budget of nan seconds"),
    ],
)
def test_numbers_that_cannot_be_are_refused(wrong, told):
    with pytest.raises(UsageError) as refused:
        RetryPolicy(**wrong)
    assert told in str(refused.value)
    assert refused.value.hint
