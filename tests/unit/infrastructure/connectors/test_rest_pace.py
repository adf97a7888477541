"""The pace at which an API is asked: by a rate of our own, and by what the server says of its limits."""

from __future__ import annotations

import pytest

from headrace.business.model.wording import Misworded
from headrace.errors import RetryableError
from headrace.infrastructure.connectors.rest.pace import Pace, per_second


class Clock:
    """Time that passes by waiting alone."""

    def __init__(self) -> None:
        self.now = 1000.0

    def wait(self, seconds: float) -> None:
        self.now += seconds

    def pace(self, rate: str | None = None) -> Pace:
        return Pace(rate, 100.0, self.wait, lambda: self.now, lambda: 1_800_000_000.0 + self.now)


@pytest.mark.parametrize(
    ("written", "rate"),
    [("5 per second", 5.0), ("60/minute", 1.0), ("1800 an hour", 0.5), ("2.5/s", 2.5), ("6 PER MIN", 0.1)],
)
def test_rates_are_read_as_people_write_them(written, rate):
    assert per_second(written) == rate


@pytest.mark.parametrize("written", ["5", "0 per second", "five per second", "5 per day", "-1/s", ""])
def test_what_is_no_rate_is_refused(written):
    with pytest.raises(Misworded, match="is not a rate"):
        per_second(written)


def test_requests_come_no_faster_than_the_rate():
    clock = Clock()
    pace = clock.pace("4 per second")
    times = []
    for _ in range(5):
        pace.turn()
        times.append(clock.now)
    assert times == [1000.0, 1000.25, 1000.5, 1000.75, 1001.0]


def test_without_a_rate_nobody_waits():
    clock = Clock()
    pace = clock.pace()
    for _ in range(5):
        pace.turn()
    assert clock.now == 1000.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "30"}, 30.0),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1800001030"}, 30.0),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1800001030000"}, 30.0),
        ({"x-rate-limit-remaining": "0", "x-rate-limit-reset": "7"}, 7.0),
        ({"ratelimit-remaining": "0", "ratelimit-reset": "9"}, 9.0),
        ({"ratelimit": '"default";r=0;t=12'}, 12.0),
        ({"ratelimit": '"burst";r=5;t=1, "daily";r=0;t=60'}, 60.0),
        ({"ratelimit": "limit=100, remaining=0, reset=15"}, 15.0),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1"}, 1.0),
        ({"x-ratelimit-remaining": "3", "x-ratelimit-reset": "30"}, None),
        ({"x-ratelimit-remaining": "0"}, None),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "soon"}, None),
        ({"ratelimit": '"default";r=50;t=30'}, None),
        ({}, None),
    ],
)
def test_when_nothing_is_left_of_a_limit_all_wait_until_it_begins_anew(headers, seconds):
    clock = Clock()
    pace = clock.pace()
    assert pace.heed(headers) == seconds
    pace.turn()
    assert clock.now == 1000.0 + (seconds or 0)


def test_who_would_have_to_wait_too_long_gives_up():
    clock = Clock()
    pace = clock.pace()
    pace.heed({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "3600"})
    with pytest.raises(RetryableError, match="3,600 seconds") as caught:
        pace.turn()
    assert caught.value.retry_after == 3600
    assert clock.now == 1000.0
