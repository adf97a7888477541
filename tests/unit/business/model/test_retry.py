"""What a definition says of trying again and of time: as it is written, as numbers, and without a say in what comes out."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.definitions.reading import HEAD, problems, read, told

from headrace.business.model.retry import Retry
from headrace.business.processing.plan import fingerprint
from headrace.infrastructure.loader import to_yaml
from headrace.resilience.backoff import RetryPolicy


def test_unless_said_a_run_is_tried_three_times_within_ten_minutes_and_has_no_end():
    definition = read(HEAD).definition
    assert definition.retry == Retry() == Retry(attempts=3, base_delay=timedelta(seconds=0.5), budget=timedelta(minutes=10))
    assert definition.retry.policy == RetryPolicy(attempts=3, base_delay=0.5, max_delay=60.0, budget_seconds=600.0)
    assert definition.timeout is None


def test_it_is_read_as_it_is_written():
    definition = read(
        HEAD + "retry: {attempts: 5, base_delay: 250 ms, max_delay: 2m, budget: 1 hour}\ntimeout: 90 minutes"
    ).definition
    assert definition.retry.policy == RetryPolicy(5, 0.25, 120.0, budget_seconds=3600.0)
    assert definition.timeout == timedelta(minutes=90)


def test_it_may_be_given_when_the_pipeline_is_run():
    text = HEAD + "params: {tries: 4, limit: 1 hour}\nretry: {attempts: '${params.tries}'}\ntimeout: ${params.limit}"
    assert (read(text).definition.retry.attempts, read(text).definition.timeout) == (4, timedelta(hours=1))
    assert read(text, params={"tries": 1, "limit": "2 hours"}).definition.timeout == timedelta(hours=2)
    assert told(text, params={"limit": "soon"}) == ["5:10: `soon` is not a duration"]


def test_it_is_written_back_as_it_was_read():
    text = HEAD + "retry: {attempts: 5, budget: 1 hour 30 minutes}\ntimeout: 2 hours"
    assert read(to_yaml(read(text).definition)).definition == read(text).definition


def test_how_long_it_is_tried_does_not_change_what_a_plan_does():
    patient = read(HEAD + "retry: {attempts: 9}\ntimeout: 1 hour").definition
    assert fingerprint(patient, {}) == fingerprint(read(HEAD).definition, {})
    assert fingerprint(read(HEAD + "steps: [{limit: 5}]").definition, {}) != fingerprint(patient, {})


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("retry: {attempts: 0}", "3:19: `attempts` must be at least 1, not `0`"),
        ("retry: {attempts: '3'}", "3:19: `attempts` must be a whole number, not `3`"),
        ("retry: {attemps: 3}", "3:9: unknown key `attemps`\n    did you mean `attempts`?"),
        ("retry: {budget: 600}", "3:17: a duration needs a unit"),
        (
            "retry: {base_delay: 2 minutes}",
            "3:8: `base_delay`, 2 minutes, is longer than `max_delay`, 1 minute\n    give a `max_delay`",
        ),
        ("retry:", "`retry` must be a mapping (`key: value`), not nothing"),
        ("timeout: 0 seconds", "3:10: a run needs some time\n    leave `timeout` out for no limit"),
        ("timeout: 2 huors", "3:10: `huors` is not a unit of time\n    did you mean `hours`?"),
        ("timeout: ${secret:env/T}", "3:10: a secret cannot stand in `timeout`"),
        ("attempts: 3", "3:1: unknown key `attempts`\n    `attempts` belongs under `retry:`, at the top level"),
    ],
)
def test_mistakes_are_told_where_they_are(written, said):
    (problem,) = problems(HEAD + written)
    assert said in str(problem)
