"""Ticks come when the clocks of their zone say so: each once, in both directions of summer time, to the end of the calendar."""

# ruff: noqa: DTZ001 - readings of a clock have no zone

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from itertools import islice, pairwise, takewhile
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.business.model.definition import Parameter
from headrace.business.model.orchestration import Schedule
from headrace.business.scheduling.schedule import Tick, deadline, next_ticks, run_params, tick_at, tick_of, ticks_after
from headrace.business.scheduling.zones import stretches

NEW_YORK, BERLIN, LORD_HOWE = "America/New_York", "Europe/Berlin", "Australia/Lord_Howe"
ST_JOHNS, APIA = "America/St_Johns", "Pacific/Apia"


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def ticks(zone: str, cron: str, begin: str, count: int) -> list[str]:
    found = islice(ticks_after(Schedule(cron=cron, timezone=zone), utc(begin)), count)
    return [tick.strftime("%d %H:%M") for tick in found]


@pytest.mark.parametrize(
    ("zone", "cron", "begin", "expected"),
    [
        # 2:00 to 3:00 is skipped in New York on 10 March 2024, which is 7:00 UTC.
        (NEW_YORK, "30 2 * * *", "2024-03-09", ["09 07:30", "10 07:00", "11 06:30"]),
        (NEW_YORK, "0,30 2 * * *", "2024-03-10", ["10 07:00", "11 06:00", "11 06:30"]),
        (NEW_YORK, "*/10 2 * * *", "2024-03-10", ["10 07:00", "11 06:00"]),
        (NEW_YORK, "30 2 10 3 *", "2024-01-01", ["10 07:00", "10 06:30"]),
        (NEW_YORK, "0 2,3 * * *", "2024-03-10", ["10 07:00", "11 06:00", "11 07:00"]),
        (NEW_YORK, "0 */2 * * *", "2024-03-10T04:30", ["10 05:00", "10 07:00", "10 08:00"]),
        # Half an hour is skipped on Lord Howe Island on 6 October 2024, which is 15:30 UTC of the day before.
        (LORD_HOWE, "0 2 * * *", "2024-10-05T10:00", ["05 15:30", "06 15:00"]),
        (LORD_HOWE, "15 2 * * *", "2024-10-05T10:00", ["05 15:30", "06 15:15"]),
        # 30 December 2011 was never in Apia, which is 10:00 UTC of that day.
        (APIA, "0 12 * * *", "2011-12-29", ["29 22:00", "30 10:00", "30 22:00"]),
    ],
)
def test_times_that_are_skipped_come_once_right_after_the_gap(zone, cron, begin, expected):
    assert ticks(zone, cron, begin, len(expected)) == expected


@pytest.mark.parametrize(
    ("zone", "cron", "begin", "expected"),
    [
        # 1:00 to 2:00 is shown twice in New York on 3 November 2024, from 5:00 and from 6:00 UTC.
        (NEW_YORK, "30 1 * * *", "2024-11-02T12:00", ["03 05:30", "04 06:30"]),
        (NEW_YORK, "*/30 1 * * *", "2024-11-02T12:00", ["03 05:00", "03 05:30", "04 06:00"]),
        (NEW_YORK, "0 1,2 * * *", "2024-11-02T12:00", ["03 05:00", "03 07:00", "04 06:00"]),
        (BERLIN, "0 */2 * * *", "2024-10-26T23:00", ["27 00:00", "27 03:00"]),
        (LORD_HOWE, "45 1 * * *", "2024-04-06T10:00", ["06 14:45", "07 15:15"]),
        # In St. John's, clocks were put back over midnight, so that two dates came twice.
        (ST_JOHNS, "30 23 * * *", "2006-10-28T12:00", ["29 02:00", "30 03:00"]),
        (ST_JOHNS, "0 0 * * *", "2006-10-28T12:00", ["29 02:30", "30 03:30"]),
    ],
)
def test_times_that_are_shown_twice_come_once(zone, cron, begin, expected):
    assert ticks(zone, cron, begin, len(expected)) == expected


@pytest.mark.parametrize(
    "begin", ["2024-11-03T05:30", "2024-11-03T06:00", "2024-11-03T06:29", "2024-11-03T06:30", "2024-11-03T06:59"]
)
def test_whoever_asks_within_the_second_showing_is_not_told_again(begin):
    assert ticks(NEW_YORK, "30 1 * * *", begin, 1) == ["04 06:30"]


def test_all_hours_go_on_through_both_directions():
    spring = list(islice(ticks_after(Schedule(cron="*/10 * * * *", timezone=NEW_YORK), utc("2024-03-10T05:00")), 18))
    autumn = list(islice(ticks_after(Schedule(cron="*/10 * * * *", timezone=NEW_YORK), utc("2024-11-03T04:00")), 24))
    for found in (spring, autumn):
        assert {b - a for a, b in pairwise(found)} == {timedelta(minutes=10)}
    assert ticks(NEW_YORK, "15 * * * *", "2024-11-03T04:30", 4) == ["03 05:15", "03 06:15", "03 07:15", "03 08:15"]
    assert ticks(NEW_YORK, "15 * * * *", "2024-03-10T05:30", 3) == ["10 06:15", "10 07:15", "10 08:15"]


@pytest.mark.parametrize(("day", "count"), [("2024-06-01", 1440), ("2024-03-10", 1380), ("2024-11-03", 1500)])
def test_every_minute_of_a_day(day, count):
    """1,440 in a day of 24 hours; the days on which clocks are changed have an hour less, and more."""
    begin = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(NEW_YORK))
    end = begin + timedelta(days=1)
    schedule = Schedule(cron="* * * * *", timezone=NEW_YORK)
    found = list(takewhile(lambda at: at < end.astimezone(UTC), ticks_after(schedule, begin - timedelta(seconds=1))))
    assert len(found) == len(set(found)) == count


def test_rare_days_and_the_end_of_the_calendar():
    assert next(ticks_after(Schedule(cron="0 0 29 2 *"), utc("2096-03-01"))) == utc("2104-02-29")
    assert [t.month for t in islice(ticks_after(Schedule(cron="0 0 31 * *"), utc("2024-01-01")), 4)] == [1, 3, 5, 7]
    assert next(ticks_after(Schedule(cron="14 3 19 1 *"), utc("2038-01-18"))) == utc("2038-01-19T03:14")
    for zone in ("UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago"):
        last = list(ticks_after(Schedule(cron="0 12 * * *", timezone=zone), utc("9999-12-25")))
        assert last[-1].date() in (date(9999, 12, 29), date(9999, 12, 30))
    assert list(ticks_after(Schedule(every="1 day"), utc("9999-12-29")))[-1] == utc("9999-12-30")
    assert list(ticks_after(Schedule(every="999999999 days"), utc("2024-01-01"))) == []
    assert next(ticks_after(Schedule(cron="0 0 * * *"), datetime.min.replace(tzinfo=UTC))) == utc("0001-01-08")


def test_intervals_do_not_shift_with_whoever_asks():
    schedule = Schedule(every="15 minutes")
    assert next(ticks_after(schedule, utc("2024-01-01T10:07:11"))) == utc("2024-01-01T10:15")
    assert next(ticks_after(schedule, utc("2024-01-01T10:15"))) == utc("2024-01-01T10:30")
    assert next(ticks_after(Schedule(every="1 week"), utc("2024-05-01"))).strftime("%a %H:%M") == "Mon 00:00"
    shifted = Schedule(every="7 hours", start="2024-05-01", timezone=BERLIN)
    assert list(islice(ticks_after(shifted, utc("2000-01-01")), 2)) == [utc("2024-04-30T22:00"), utc("2024-05-01T05:00")]


def test_a_schedule_has_a_first_and_a_last_day_of_its_zone():
    schedule = Schedule(cron="0 */12 * * *", timezone=BERLIN, start="2024-05-01", end="2024-05-02")
    assert [t.isoformat() for t in ticks_after(schedule, utc("2020-01-01"))] == [
        f"2024-{at}:00+00:00" for at in ("04-30T22:00", "05-01T10:00", "05-01T22:00", "05-02T10:00")
    ]
    assert next_ticks(schedule, utc("2024-06-01")) == []
    assert list(ticks_after(Schedule(every="12 hours", end="2024-05-01"), utc("2024-05-01"))) == [utc("2024-05-01T12:00")]


ZONES = st.sampled_from(
    ["UTC", NEW_YORK, BERLIN, LORD_HOWE, ST_JOHNS, APIA, "Africa/Casablanca", "Asia/Tehran", "America/Sao_Paulo"]
)
CRONS = st.sampled_from(
    [
        *(
            "30 2 * * *",
            "30 1 * * *",
            "0 0 * * *",
            "59 23 * * *",
            "0 0 1 * *",
            "0 0 31 * *",
            "15 1,2,3 * * sun",
            "*/20 2 * * *",
        ),
        *("*/45 * * * *", "0 * * * *", "7 */3 * * *", "0 0 13 * fri", "5 0-22 * * *"),
    ]
)
INSTANTS = st.datetimes(datetime(1995, 1, 1), datetime(2060, 1, 1), timezones=st.just(UTC))


@given(ZONES, CRONS, INSTANTS)
def test_ticks_strictly_increase_and_each_is_meant(zone, cron, begin):
    """Every tick shows a reading that the expression names, or is the end of a gap in which there was one."""
    schedule = Schedule(cron=cron, timezone=zone)
    found = list(islice(ticks_after(schedule, begin), 40))
    assert all(a < b for a, b in pairwise([begin, *found]))
    for at in found:
        reading = at.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        if not schedule.cron.matches(reading):
            before = (at - timedelta(microseconds=1)).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
            assert reading - before > timedelta(minutes=1)
            assert list(schedule.cron.readings(before, reading))


@given(ZONES, CRONS, INSTANTS)
def test_no_reading_is_forgotten(zone, cron, begin):
    """By brute force: of every minute that the clocks show, those that are named have ticked, fixed ones at their first showing."""
    schedule = Schedule(cron=cron, timezone=zone)
    begin = begin.replace(second=0, microsecond=0)
    end = begin + timedelta(days=2)
    found = set(takewhile(lambda at: at < end, ticks_after(schedule, begin - timedelta(days=3))))
    for number in range(2 * 24 * 60):
        at = begin + timedelta(minutes=number)
        shown = at.astimezone(ZoneInfo(zone))
        if schedule.cron.matches(shown.replace(tzinfo=None)) and (schedule.cron.every_hour or shown.fold == 0):
            assert at in found


@given(ZONES, CRONS | st.just(None), INSTANTS, st.integers(0, 10**7), st.integers(0, 60))
def test_ticks_do_not_depend_on_where_one_begins(zone, cron, begin, seconds, count):
    schedule = Schedule(cron=cron, timezone=zone) if cron else Schedule(every="37 minutes", timezone=zone)
    found = list(islice(ticks_after(schedule, begin), count))
    later = begin + timedelta(seconds=seconds)
    rest = [at for at in found if at > later]
    assert list(islice(ticks_after(schedule, later), len(rest))) == rest


@given(ZONES, INSTANTS, st.integers(1, 400))
def test_stretches_cover_time_without_gaps(zone, begin, days):
    end = begin + timedelta(days=days)
    found = list(stretches(ZoneInfo(zone), begin, end))
    assert [found[0].start, *(s.end for s in found)] == [*(s.start for s in found), end]
    for stretch in found:
        for at in (stretch.start, stretch.end - timedelta(microseconds=1)):
            assert stretch.local(at) == at.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
            assert stretch.instant(stretch.local(at)) == at


def test_a_tick_knows_its_key_and_what_its_run_is_about():
    schedule = Schedule(
        cron="30 2 * * *",
        timezone=NEW_YORK,
        partition={"param": "day", "ago": "1 day"},
        params={"a": 1},
        expect_within="1 hour",
    )
    tick = next_ticks(schedule, utc("2024-03-10"), 1)[0]
    assert tick == tick_at(schedule, utc("2024-03-10T07:00"))
    assert tick.local == datetime(2024, 3, 10, 3)
    assert tick.key("p") == "schedule:p:2024-03-10T07:00:00Z"
    assert deadline(schedule, tick) == utc("2024-03-10T08:00")
    assert run_params(schedule, tick, {"day": Parameter(type="date")}) == {"a": 1, "day": "2024-03-09"}
    assert run_params(schedule, tick, {"day": Parameter(type="timestamp")}) == {"a": 1, "day": "2024-03-09T03:00:00"}
    assert deadline(Schedule(every="1 day"), tick) is None


def test_ticks_need_no_time_zones_of_the_system():
    code = (
        "from datetime import UTC, datetime; from headrace.business.model.orchestration import Schedule;"
        "from headrace.business.scheduling.schedule import ticks_after;"
        "s = Schedule(cron='30 2 * * *', timezone='America/New_York');"
        "print(next(ticks_after(s, datetime(2024, 3, 10, tzinfo=UTC))))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONTZPATH": ""}, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "2024-03-10 07:00:00+00:00"


@given(st.datetimes(timezones=st.just(UTC)), st.sampled_from(["p", "a-b_c"]))
def test_a_key_says_which_tick_it_is_of(at: datetime, pipeline: str) -> None:
    key = Tick(at, at.replace(tzinfo=None)).key(pipeline)
    assert tick_of(key, pipeline) == at
    assert tick_of(key, "other") is None


@pytest.mark.parametrize("key", ["", "file:p:a.csv", "schedule:p:", "schedule:p:soonZ", "schedule:p:2024-01-01T00:00:00"])
def test_what_is_no_key_of_a_tick_names_none(key: str) -> None:
    assert tick_of(key, "p") is None
