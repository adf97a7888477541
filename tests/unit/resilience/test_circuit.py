"""The circuit as a value: random histories against a model that only remembers what has happened."""

from __future__ import annotations

import math
from dataclasses import asdict, fields, replace

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from headrace.errors import CircuitBreakerOpenError, RetryableError, UsageError
from headrace.resilience.circuit import Circuit


class Histories(RuleBasedStateMachine):
    """Calls begin, end and get lost in any order while time goes by. The model keeps the failures in a row, when the circuit may be
    tried again, and which call is the trial; time is whole seconds, so that both count alike."""

    @initialize(threshold=st.integers(1, 4), recovery=st.integers(0, 30), trial=st.none() | st.integers(0, 30))
    def begin(self, threshold, recovery, trial):
        self.circuit = Circuit(threshold, recovery, trial)
        self.now = 0
        self.running: list[int] = []
        self.failures, self.opened_at, self.trial, self.trial_at = 0, None, None, None
        self.halfway, self.counting = False, 0

    @rule(seconds=st.integers(0, 40))
    def time_goes_by(self, seconds):
        self.now += seconds

    def may_pass(self):
        if self.halfway:
            lapsed = self.circuit.trial_timeout is not None and self.trial is not None
            return self.trial is None or (lapsed and self.now >= self.trial_at + self.circuit.trial_timeout)
        return self.opened_at is None or self.now >= self.opened_at + self.circuit.recovery_timeout

    @rule()
    def a_call_comes(self):
        closed = self.opened_at is None and not self.halfway
        if not self.may_pass():
            with pytest.raises(CircuitBreakerOpenError) as refused:
                self.circuit.allow(self.now)
            wait = refused.value.retry_after
            assert wait is None or (wait > 0 and self.circuit.allow(self.now + wait).state == "HALF_OPEN")
            return
        before = self.circuit
        self.circuit = before.allow(self.now)
        self.running.append(self.circuit.generation)
        if closed:
            assert self.circuit == before
            self.counting = self.circuit.generation
        else:
            self.halfway, self.opened_at = True, None
            self.trial, self.trial_at = self.circuit.generation, self.now

    @precondition(lambda self: self.running)
    @rule(data=st.data(), outcome=st.sampled_from(["succeeded", "failed", "undecided"]))
    def a_call_ends(self, data, outcome):
        call = self.running.pop(data.draw(st.integers(0, len(self.running) - 1)))
        before = self.circuit
        self.circuit = before.failed(self.now, call) if outcome == "failed" else getattr(before, outcome)(call)
        closed = self.opened_at is None and not self.halfway
        counts = call == self.trial if self.halfway else closed and call == self.counting
        if not counts:
            assert self.circuit == before, "a call of former times changes nothing"
        elif outcome == "succeeded":
            self.failures, self.halfway, self.trial = 0, False, None
        elif outcome == "undecided":
            self.trial = None
        else:
            self.failures += 1
            if self.halfway or self.failures >= self.circuit.failure_threshold:
                self.halfway, self.trial, self.opened_at = False, None, self.now

    @invariant()
    def they_agree(self):
        if not hasattr(self, "circuit"):
            return
        state = "HALF_OPEN" if self.halfway else "CLOSED" if self.opened_at is None else "OPEN"
        assert (self.circuit.state, self.circuit.failure_count) == (state, self.failures)
        assert (self.circuit.trial_began is not None) == (self.trial is not None)
        assert self.circuit.wait(self.now) != 0 or self.may_pass()

    @invariant()
    def it_can_be_kept_as_a_row(self):
        if hasattr(self, "circuit"):
            assert Circuit(**asdict(self.circuit)) == self.circuit


TestHistories = Histories.TestCase

OPEN = Circuit(failure_threshold=1, recovery_timeout=60).failed(100.0)


def test_it_opens_at_the_threshold_and_not_before():
    circuit = Circuit(failure_threshold=3)
    states = []
    for now in range(3):
        circuit = circuit.failed(float(now))
        states.append((circuit.state, circuit.failure_count, circuit.last_failure_time))
    assert states == [("CLOSED", 1, 0.0), ("CLOSED", 2, 1.0), ("OPEN", 3, 2.0)]


def test_only_failures_in_a_row_count():
    circuit = Circuit(failure_threshold=2)
    for _ in range(5):
        circuit = circuit.failed(1.0).succeeded()
    assert (circuit.state, circuit.failure_count) == ("CLOSED", 0)


def test_a_refusal_says_what_when_and_that_it_may_be_retried():
    with pytest.raises(CircuitBreakerOpenError) as refused:
        replace(OPEN, name="the warehouse").allow(118.0)
    assert isinstance(refused.value, RetryableError)
    assert refused.value.retry_after == 42.0
    assert str(refused.value) == (
        "the circuit breaker before the warehouse is open after a failure: the call was not made\n    call again in 42 seconds"
    )


def test_of_two_that_come_after_the_recovery_one_is_tried():
    trying = OPEN.allow(160.0)
    with pytest.raises(CircuitBreakerOpenError, match="trying one call") as refused:
        trying.allow(160.0)
    assert refused.value.retry_after is None
    assert trying.succeeded(trying.generation).state == "CLOSED"


def test_a_trial_that_fails_opens_at_once_whatever_the_threshold():
    trying = replace(OPEN, failure_threshold=9).allow(160.0)
    again = trying.failed(170.0, trying.generation)
    assert (again.state, again.last_failure_time, again.wait(170.0)) == ("OPEN", 170.0, 60.0)


def test_a_trial_whose_caller_died_is_given_up():
    trying = replace(OPEN, trial_timeout=30.0).allow(160.0)
    assert trying.wait(180.0) == 10.0
    second = trying.allow(190.0)
    assert second.failed(191.0, trying.generation) == second, "the lost trial has no say any more"
    assert second.succeeded(second.generation).state == "CLOSED"


def test_a_clock_that_was_set_back_keeps_it_no_longer_than_the_timeout():
    assert OPEN.wait(-1e9) == 60.0


def test_every_field_is_a_plain_value():
    assert {type(getattr(OPEN.allow(500.0), f.name)) for f in fields(Circuit)} <= {int, float, str, type(None)}


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"failure_threshold": 0}, "after 0 failures"),
        ({"recovery_timeout": -1}, "recovery timeout of -1 seconds"),
        ({"recovery_timeout": math.nan}, "recovery timeout of nan seconds"),
        ({"trial_timeout": math.inf}, "trial timeout of inf seconds"),
    ],
)
def test_numbers_that_cannot_be_are_refused(wrong, told):
    with pytest.raises(UsageError, match=told):
        Circuit(**wrong)
