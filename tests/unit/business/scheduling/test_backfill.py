"""Ranges of a parameter become the runs that they mean, the same ones each time; absurd ones are refused."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.business.model.definition import Parameter
from headrace.business.scheduling.backfill import Backfill, expand
from headrace.errors import UsageError

DECLARED = {kind: Parameter(type=kind) for kind in ("date", "timestamp", "int", "string", "float")}


def backfill(written: str, step: str | None = None, **options) -> Backfill:
    return expand("p", written, DECLARED, step=step, **options)


@pytest.mark.parametrize(
    ("written", "step", "values"),
    [
        ("date=2024-02-27..2024-03-01", None, "2024-02-27 2024-02-28 2024-02-29 2024-03-01"),
        ("date=2024-01-01..2024-01-01", None, "2024-01-01"),
        ("date=2024-01-01..2024-01-20", "week", "2024-01-01 2024-01-08 2024-01-15"),
        ("date=2024-01-01..2024-01-20", "weekly", "2024-01-01 2024-01-08 2024-01-15"),
        ("date=2024-01-01..2024-01-31", "2 weeks", "2024-01-01 2024-01-15 2024-01-29"),
        ("date=2023-12-31..2024-04-30", "month", "2023-12-31 2024-01-31 2024-02-29 2024-03-31 2024-04-30"),
        ("date=2024-01-31..2024-04-29", "month", "2024-01-31 2024-02-29 2024-03-31"),
        ("date=2024-01-31..2024-12-31", "5 months", "2024-01-31 2024-06-30 2024-11-30"),
        ("date=9999-11-30..9999-12-31", "month", "9999-11-30 9999-12-30"),
        ("date=2024-01-03, 2024-01-01", None, "2024-01-03 2024-01-01"),
        ("timestamp=2024-01-01T22..2024-01-02T01:30", None, "2024-01-01T22:00:00 2024-01-01T23:00:00 2024-01-02T00:00:00 2024-01-02T01:00:00"),
        ("timestamp=2024-01-01..2024-01-02", "12 hours", "2024-01-01T00:00:00 2024-01-01T12:00:00 2024-01-02T00:00:00"),
        ("int=-2..2", None, "-2 -1 0 1 2"),
        ("int=1..10", "4", "1 5 9"),
        ("int=07,8", None, "7 8"),
        ("string=NO,SE , DK", None, "NO SE DK"),
        ("string=a..b", None, "a..b"),
        ("string=a=b", None, "a=b"),
    ],
)  # fmt: skip
def test_ranges_and_lists(written, step, values):
    assert list(backfill(written, step).values) == values.split()


@pytest.mark.parametrize(
    ("written", "step", "says"),
    [
        ("2024-01-01..2024-01-31", None, "day=2024-01-01..2024-01-31"),
        ("date=", None, "is not a range"),
        ("dat=2024-01-01..2024-01-31", None, "did you mean `date`?"),
        ("date=2024-01-31..2024-01-01", None, "write `2024-01-01..2024-01-31`"),
        ("date=2024-01-01..2024-02-30", None, "`2024-02-30` is not a date"),
        ("date=2024-01-01..", None, "is not a range"),
        ("date=1..2..3", None, "is not a range"),
        ("date=2024-01-01,2024-01-01", None, "stands 2 times"),
        ("int=7,07", None, "stands 2 times"),
        ("string=a,,b", None, "is empty"),
        ("date=2024-01-01..2024-01-31", "fortnight", "steps are"),
        ("date=2024-01-01..2024-01-31", "hour", "dates have no hours"),
        ("date=2024-01-01..2024-01-31", "3", "not a step of a range of dates"),
        ("int=1..3", "day", "not a step of a range of numbers"),
        ("int=1..3", "0", "goes nowhere"),
        ("date=2024-01-01..2024-01-31", "0 days", "goes nowhere"),
        ("date=2024-01-01,2024-01-02", "day", "belongs to a range"),
        ("timestamp=2024-01-01..2024-01-02T00:00+00:00", None, "in the same way"),
        ("int=a..b", None, "not a whole number"),
        ("int=1..100001", None, "100,001 runs, more than 100,000"),
        ("int=1..1000000000000000000000", None, "more than 100,000"),
        ("timestamp=0001-01-01..9999-12-31", None, "take a longer step"),
        ("date=0001-01-01..9999-12-31", None, "more than 100,000"),
        ("string=" + ",".join(map(str, range(100_001))), None, "more than 100,000"),
    ],
)
def test_what_cannot_be_meant_is_refused(written, step, says):
    with pytest.raises(UsageError) as caught:
        backfill(written, step)
    assert says in str(caught.value)


def test_a_hundred_thousand_are_taken():
    assert len(backfill("int=1..100000").values) == 100_000


def test_the_same_request_is_the_same_backfill():
    first, same = backfill("date=2024-01-01..2024-01-03"), backfill("date=2024-01-01,2024-01-02,2024-01-03")
    assert [first.key(v) for v in first.values] == [same.key(v) for v in same.values]
    assert first.key("2024-01-02") == f"backfill:p:{first.id}:date=2024-01-02"
    others = [
        backfill("date=2024-01-01..2024-01-04"),
        backfill("date=2024-01-01..2024-01-03", params={"string": "x"}),
        backfill("date=2024-01-01..2024-01-03", again="1"),
        expand("q", "date=2024-01-01..2024-01-03", DECLARED),
    ]
    assert len({b.id for b in (first, *others)}) == 5


def test_the_other_parameters_are_given_to_all():
    made = backfill("int=1..2", params={"string": "x"})
    assert [made.run_params(v) for v in made.values] == [{"string": "x", "int": "1"}, {"string": "x", "int": "2"}]
    with pytest.raises(UsageError, match="given twice"):
        backfill("int=1..2", params={"int": 3})


@given(st.dates(), st.integers(0, 400), st.integers(1, 40), st.sampled_from(["day", "week", "month"]))
def test_values_increase_from_the_first_to_the_last(first, days, number, unit):
    last = min(first, date.max - timedelta(days=days)) + timedelta(days=days)
    first = last - timedelta(days=days)
    values = [date.fromisoformat(v) for v in backfill(f"date={first}..{last}", f"{number} {unit}s").values]
    assert values[0] == first
    assert values == sorted(set(values))
    assert values[-1] <= last
    longest = timedelta(days=number * {"day": 1, "week": 7, "month": 31}[unit])
    assert last - values[-1] < longest
    assert all(b - a <= longest for a, b in pairwise(values))
