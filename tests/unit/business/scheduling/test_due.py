"""Which ticks are due: none is lost, none comes twice, whenever and however often one looks, and whatever the clock does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import takewhile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.business.model.orchestration import Schedule
from headrace.business.scheduling.schedule import Tick, due, overdue, seen_up_to, ticks_after


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def hours(ticks: list[Tick]) -> list[int]:
    return [tick.at.hour for tick in ticks]


def hourly(catch_up: str) -> Schedule:
    return Schedule(cron="0 * * * *", catch_up=catch_up)


@pytest.mark.parametrize(("catch_up", "expected"), [("all", list(range(1, 11))), ("last", [10]), ("none", [])])
def test_after_ten_missed_ticks(catch_up, expected):
    assert hours(due(hourly(catch_up), utc("2024-01-01T00:30"), utc("2024-01-01T10:30"))) == expected


@pytest.mark.parametrize("catch_up", ["all", "last", "none"])
def test_a_tick_that_is_just_there_is_due_by_each_policy(catch_up):
    assert hours(due(hourly(catch_up), utc("2024-01-01T09:59:59"), utc("2024-01-01T10:00"))) == [10]
    assert hours(due(hourly(catch_up), utc("2024-01-01T09:30"), utc("2024-01-01T10:00:30"))) == [10]
    assert due(hourly(catch_up), utc("2024-01-01T10:00"), utc("2024-01-01T10:30")) == []


def test_a_new_schedule_begins_now_or_with_its_start():
    now = utc("2024-01-03T10:00")
    assert due(hourly("all"), None, now) == []
    assert seen_up_to([], None, now) == now
    started = Schedule(cron="0 0 * * *", catch_up="all", start="2024-01-01", timezone="Europe/Berlin")
    assert [t.local.day for t in due(started, None, now)] == [1, 2, 3]


def test_a_long_pause_is_made_up_in_portions():
    schedule, now, last, found = Schedule(cron="* * * * *", catch_up="all"), utc("2024-01-02T00:00:30"), utc("2024-01-01"), []
    for _ in range(4):
        ticks = due(schedule, last, now, most=500)
        last = seen_up_to(ticks, last, now, most=500)
        found += ticks
    assert [len(found), found[0].at, found[-1].at, last] == [1440, utc("2024-01-01T00:01"), utc("2024-01-02"), now]


def test_a_tick_is_overdue_when_its_results_are_not_there_in_time():
    schedule = Schedule(cron="0 6 * * *", expect_within="30 minutes")
    covered = utc("2024-01-01T06:00")
    assert overdue(schedule, covered, utc("2024-01-02T06:30")) is None
    late = overdue(schedule, covered, utc("2024-01-02T06:30:01"))
    assert late is not None
    assert late.at == utc("2024-01-02T06:00")
    assert overdue(schedule, covered, utc("2024-01-05T12:00")) == late
    assert overdue(schedule, utc("2024-01-05T06:00"), utc("2024-01-05T12:00")) is None
    assert overdue(Schedule(cron="0 6 * * *"), covered, utc("2025-01-01")) is None
    assert overdue(Schedule(every="1 day", end="2024-01-01", expect_within="1h"), utc("2024-01-02"), utc("2025-01-01")) is None


SCHEDULES = st.builds(
    Schedule,
    cron=st.sampled_from(["30 2 * * *", "*/30 * * * *", "30 1 * * *", "0 0 * * *"]),
    timezone=st.sampled_from(["UTC", "America/New_York", "Europe/Berlin", "America/St_Johns"]),
    catch_up=st.just("all"),
)
#: Around a change of the clocks in spring, one in autumn, or neither.
BEGINS = st.sampled_from([utc("2024-03-09T12:00"), utc("2024-11-02T12:00"), utc("2024-10-26T12:00"), utc("2024-06-01")])
SECONDS = st.lists(st.integers(0, 3 * 86_400), max_size=12)


@given(SCHEDULES, BEGINS, SECONDS)
def test_looking_often_gives_the_same_ticks_as_looking_once(schedule, begin, cuts):
    end = begin + timedelta(days=3)
    last, found = begin, []
    for now in [*sorted(begin + timedelta(seconds=cut) for cut in cuts), end]:
        ticks = due(schedule, last, now)
        last = seen_up_to(ticks, last, now)
        found += ticks
    assert found == due(schedule, begin, end)
    assert [tick.at for tick in found] == list(takewhile(lambda at: at <= end, ticks_after(schedule, begin)))


@given(SCHEDULES, st.sampled_from(["all", "last", "none"]), BEGINS, SECONDS)
def test_a_clock_that_jumps_makes_no_tick_come_twice(schedule, catch_up, begin, looks):
    schedule = schedule.model_copy(update={"catch_up": catch_up})
    last, found = begin, []
    for look in looks:
        now = begin + timedelta(seconds=look)
        ticks = due(schedule, last, now)
        assert seen_up_to(ticks, last, now) >= last
        last = seen_up_to(ticks, last, now)
        found += ticks
    keys = [tick.key("p") for tick in found]
    assert len(keys) == len(set(keys))
    if catch_up == "all":
        assert found == due(schedule, begin, last)
