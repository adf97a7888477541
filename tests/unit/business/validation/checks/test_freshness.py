"""Freshness at the time that the run is for: dates, readings with and without zone, the future, and nights when clocks change."""

# ruff: noqa: DTZ001 - readings without a zone are what is tested

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from pydantic import ValidationError

from headrace.business.model.schema import Schema
from headrace.business.model.types import Date, String, Timestamp
from headrace.business.ports import Measured
from headrace.business.validation.checks.freshness import Freshness
from headrace.errors import DefinitionError

NOON = datetime(2013, 6, 1, 12, tzinfo=UTC)
BERLIN = "Europe/Berlin"


def judge(newest, now=NOON, **options):
    return Freshness(column="at", **{"max_age": "2 hours", **options}).judge(Measured({"newest": newest}, [], now))


@pytest.mark.parametrize(
    ("newest", "options", "outcome"),
    [
        (datetime(2013, 6, 1, 10, tzinfo=UTC), {}, "pass"),
        (datetime(2013, 6, 1, 9, 59, 59, tzinfo=UTC), {}, "fail"),
        (datetime(2013, 6, 1, 12, tzinfo=timezone(timedelta(hours=2))), {}, "pass"),
        (datetime(2013, 6, 1, 10), {}, "pass"),
        (datetime(2013, 6, 1, 12), {"timezone": BERLIN}, "pass"),
        (datetime(2013, 6, 1, 11, 59), {"timezone": BERLIN}, "fail"),
        # a date is a whole day, and as old as the time since its end
        (date(2013, 6, 1), {}, "pass"),
        (date(2013, 6, 1), {"max_age": "0 seconds"}, "pass"),
        (date(2013, 5, 31), {"max_age": "12 hours"}, "pass"),
        (date(2013, 5, 31), {"max_age": "11 hours"}, "fail"),
        (date(2013, 5, 31), {"max_age": "14 hours", "timezone": BERLIN}, "pass"),
        (date(2013, 5, 31), {"max_age": "13 hours", "timezone": BERLIN}, "fail"),
        # the future hides that nothing arrives; clocks may differ a little
        (datetime(2013, 6, 1, 12, 5, tzinfo=UTC), {}, "pass"),
        (datetime(2013, 6, 1, 12, 6, tzinfo=UTC), {}, "fail"),
        (datetime(2013, 6, 1, 12, 6, tzinfo=UTC), {"max_ahead": "1 hour"}, "pass"),
        (datetime(9999, 12, 31, 23, 59), {"timezone": "America/New_York"}, "fail"),
        (datetime(1, 1, 1), {"timezone": "Asia/Tokyo"}, "fail"),
        (date(2013, 6, 2), {}, "fail"),
        (date(9999, 12, 31), {"timezone": "America/New_York"}, "fail"),
        (date(1, 1, 1), {"timezone": "Asia/Tokyo"}, "fail"),
        (None, {}, "fail"),
    ],
)
def test_how_old_the_newest_row_may_be(newest, options, outcome):
    assert judge(newest, **options).outcome == outcome


def test_what_people_read():
    assert judge(datetime(2013, 5, 28, 8)).observed == "2013-05-28 08:00:00, 4 days 4 hours old"
    assert judge(datetime(2013, 6, 4, 13)).observed == "2013-06-04 13:00:00, 3 days 1 hour in the future"
    assert judge(date(2013, 6, 1)).observed == "2013-06-01, 0 seconds old"
    assert judge(None).observed == "no values"
    assert judge(None).expected == "at most 2 hours old"


def test_a_day_when_clocks_change_has_its_true_length():
    """In Berlin the 31st of March 2013 had 23 hours, the 27th of October 25."""
    midnight = datetime(2013, 3, 31, 22, tzinfo=UTC)  # as the 1st of April began there
    assert judge(date(2013, 3, 30), now=midnight, max_age="23 hours", timezone=BERLIN).outcome == "pass"
    assert judge(date(2013, 3, 30), now=midnight, max_age="22 hours", timezone=BERLIN).outcome == "fail"
    midnight = datetime(2013, 10, 27, 23, tzinfo=UTC)
    assert judge(date(2013, 10, 26), now=midnight, max_age="24 hours", timezone=BERLIN).outcome == "fail"
    assert judge(date(2013, 10, 26), now=midnight, max_age="25 hours", timezone=BERLIN).outcome == "pass"


def test_the_hour_that_comes_twice_is_the_first_of_the_two():
    twice = datetime(2013, 10, 27, 2, 30)
    assert judge(twice, now=datetime(2013, 10, 27, 2, 30, tzinfo=UTC), max_age="2 hours", timezone=BERLIN).outcome == "pass"
    assert judge(twice, now=datetime(2013, 10, 27, 2, 31, tzinfo=UTC), max_age="2 hours", timezone=BERLIN).outcome == "fail"


def test_columns_without_times_and_unknown_zones_are_refused_together():
    with pytest.raises(DefinitionError) as caught:
        Freshness(column="name", max_age="1 day", timezone="Europe/Berln").measures(Schema.of(name=String()))
    assert [(p.path, p.hint) for p in caught.value.problems] == [
        (("column",), None),
        (("timezone",), "did you mean `Europe/Berlin`?"),
    ]


@pytest.mark.parametrize("kind", [Date(), Timestamp(), Timestamp(True)])
def test_dates_and_timestamps_are_measured_by_their_maximum(kind):
    measures = Freshness(column="at", max_age="1 day").measures(Schema.of(at=kind))
    assert [(name, e.function, e.type) for name, e in measures.items()] == [("newest", "max", kind)]


@pytest.mark.parametrize("options", [{}, {"max_age": 2}, {"max_age": "2 fortnights"}, {"max_age": "1 day", "unit": "day"}])
def test_a_unit_at_the_wrong_level_is_refused(options):
    with pytest.raises(ValidationError):
        Freshness(column="at", **options)
