"""The rules of delivery that need no store: who wants what, how long to wait, what may be kept of an error."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.bus.store import Envelope
from headrace.bus.subscriptions import LONGEST_ASKED, Backoff, Subscription, shown
from headrace.errors import NonRetryableError, RetryableError


def of_type(written: str) -> Envelope:
    return Envelope(1, "r", 1, written, datetime.now(UTC), {}, "h")


def nothing(_event: Envelope) -> None:
    pass


@pytest.mark.parametrize(
    ("types", "written", "wanted"),
    [
        ([], "data.teleported/9", True),
        (["pipeline.*"], "pipeline.failed/1", True),
        (["pipeline.failed"], "pipeline.failed/2", True),
        (["pipeline.failed", "data.*"], "data.stored/1", True),
        (["pipeline.*"], "data.stored/1", False),
        (["failed"], "pipeline.failed/1", False),
    ],
)
def test_types_are_names_without_versions_or_patterns(types: list[str], written: str, wanted: bool) -> None:
    assert Subscription("s", types, nothing).wants(of_type(written)) == wanted


@given(failures=st.integers(1, 10_000), chance=st.floats(0, 1))
def test_pauses_grow_and_end(failures: int, chance: float) -> None:
    backoff = Backoff(2.0, 60.0)
    assert 1.0 <= backoff.pause(failures, chance) <= 60.0
    assert backoff.pause(failures + 1, chance) >= backoff.pause(failures, chance)


def test_who_asks_to_wait_is_heeded_within_reason() -> None:
    subscription = Subscription("s", (), nothing, backoff=Backoff(1.0, 10.0))
    assert subscription.pause(1, RetryableError("x", retry_after=99), 0.5) == 99
    assert subscription.pause(1, RetryableError("x", retry_after=1e12), 0.5) == LONGEST_ASKED
    assert subscription.pause(2, RetryableError("x", retry_after=0), 1.0) == 2


def test_only_a_patient_one_waits_for_ever_and_only_for_what_may_pass() -> None:
    patient, other = Subscription("s", (), nothing, 3, patient=True), Subscription("s", (), nothing, 3)
    assert [s.pause(2, RetryableError("x"), 0) is None for s in (patient, other)] == [False, False]
    assert [s.pause(3, RetryableError("x"), 0) is None for s in (patient, other)] == [False, True]
    assert [s.pause(3, NonRetryableError("x"), 0) is None for s in (patient, other)] == [True, True]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("https://ada:hunter2@x.org/a?token=hunter2#hunter2 is away"), "ValueError: https://x.org/a is away"),
        (ValueError("password=hunter2 user=ada"), "ValueError: password=*** user=ada"),
        (ValueError("Authorization: Bearer hunter2"), "ValueError: Authorization: ***"),
        (ValueError('{"api_key": "hunter2"}'), 'ValueError: {"api_key": "***'),
        (RetryableError("the secret `env/KEY` is not there"), "the secret `env/KEY` is not there"),
        (ValueError("x" * 2000), "ValueError: " + "x" * 487 + "…"),
    ],
)
def test_what_is_kept_of_an_error_holds_no_secret_and_is_short(error: Exception, said: str) -> None:
    assert shown(error) == said
