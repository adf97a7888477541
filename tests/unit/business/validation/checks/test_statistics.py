"""Bounds of statistics: exact, inclusive, and NaN within none."""

# ruff: noqa: DTZ001 - readings without a zone are what is tested

from datetime import UTC, date, datetime, time, timezone
from datetime import timedelta as delta
from decimal import Decimal as D

import pytest
from pydantic import ValidationError

from headrace.business.model.schema import Schema
from headrace.business.model.types import Boolean, Date, Decimal, Float, Integer, Json, String, Time, Timestamp
from headrace.business.ports import Measured
from headrace.business.validation.checks.statistics import Max, Mean, Min, Quantile, Sum
from headrace.errors import DefinitionError

NOW = datetime(2013, 6, 1, tzinfo=UTC)
SCHEMA = Schema.of(i=Integer(64), f=Float(64), d=Decimal(38, 10), s=String(), day=Date(), at=Timestamp(), instant=Timestamp(True), t=Time(), b=Boolean(), j=Json())  # fmt: skip


def judge(check, value):
    return check.judge(Measured({"value": value}, [], NOW))


def problems(check):
    with pytest.raises(DefinitionError) as caught:
        check.measures(SCHEMA)
    return [(p.path, p.message) for p in caught.value.problems]


@pytest.mark.parametrize(
    ("limits", "value", "outcome"),
    [
        ({"between": (1, 3)}, 1, "pass"),
        ({"between": (1, 3)}, 3, "pass"),
        ({"between": (1, 3)}, 4, "fail"),
        ({"above": 1}, 1, "fail"),
        ({"below": 3}, 3, "fail"),
        ({"at_least": 0}, -0.0, "pass"),
        ({"at_least": 2**53 + 1}, 2**53, "fail"),
        ({"at_most": 2**63 - 1}, 2**63 - 1, "pass"),
        ({"at_most": float(2**53)}, 2**53 + 1, "fail"),
        # decimals: the bound is what was written, not the nearest float
        ({"at_least": 0.1}, D("0.1"), "pass"),
        ({"at_most": 0.1}, D("0.1"), "pass"),
        ({"at_most": 0.1}, D("0.1000000001"), "fail"),
        ({"at_most": D("9" * 38)}, D("9" * 38), "pass"),
        # floats: as they are
        ({"at_most": 0.3}, 0.1 + 0.2, "fail"),
        ({"at_most": 0.3}, 0.3, "pass"),
        ({"at_least": 0.1}, 0.1, "pass"),
        # NaN is within no bounds; infinities are beyond all but themselves
        ({"at_least": 0}, float("nan"), "fail"),
        ({"at_most": 0}, float("nan"), "fail"),
        ({"between": (0, 1)}, float("nan"), "fail"),
        ({"at_least": 0}, float("inf"), "pass"),
        ({"at_most": 10**300}, float("inf"), "fail"),
        ({"at_most": 0}, float("-inf"), "pass"),
        ({"at_most": float("inf")}, float("inf"), "pass"),
        # other types
        ({"at_least": "b"}, "b", "pass"),
        ({"below": "b"}, "b", "fail"),
        ({"at_least": date(2013, 1, 1)}, date(2013, 1, 1), "pass"),
        ({"at_least": "2013-01-01"}, date(2013, 1, 1), "pass"),
        ({"at_most": "2013-12-31"}, date(2014, 1, 1), "fail"),
        ({"below": date(2013, 1, 2)}, datetime(2013, 1, 1, 23, 59), "pass"),
        ({"at_most": "2013-01-02"}, datetime(2013, 1, 2, 0, 1), "fail"),
        ({"at_most": "2013-01-02T12:00"}, datetime(2013, 1, 2, 12), "pass"),
        ({"at_most": "2013-01-02T12:00"}, datetime(2013, 1, 2, 12, tzinfo=UTC), "pass"),
        ({"at_most": datetime(2013, 1, 2, 12, tzinfo=UTC)}, datetime(2013, 1, 2, 13, 30, tzinfo=timezone(delta(hours=2))), "pass"),
        ({"at_most": "12:00"}, time(12), "pass"),
    ],
)  # fmt: skip
def test_bounds_hold_exactly(limits, value, outcome):
    assert judge(Max(column="x", **limits), value).outcome == outcome


@pytest.mark.parametrize("check", [Min, Max, Mean, Sum])
def test_no_values_have_no_statistics(check):
    verdict = judge(check(column="x", at_least=0), None)
    assert (verdict.outcome, verdict.observed, verdict.expected) == ("skipped", "no values", "at least 0")


def test_people_read_numbers_as_they_write_them():
    verdict = judge(Mean(column="x", between=(0, 60.5)), 12.639070257304708)
    assert (verdict.observed, verdict.expected) == ("12.63907", "0 to 60.5")
    assert judge(Max(column="x", at_most=1), 1e-9).observed == "1e-09"
    assert judge(Max(column="x", at_most=1), 4983).observed == "4,983"
    assert judge(Max(column="x", at_most=1), D("1234.50")).observed == "1,234.50"
    assert judge(Max(column="x", at_most="x"), "ab").observed == "`ab`"
    assert judge(Min(column="x", at_least="2013-01-01"), date(2013, 1, 1)).expected == "at least `2013-01-01`"


@pytest.mark.parametrize(
    ("check", "found"),
    [
        (Mean(column="s", at_least=0), [(("column",), "`s` is of type string, and this needs numbers")]),
        (Sum(column="day", at_least=0), [(("column",), "`day` is of type date, and this needs numbers")]),
        (Quantile(column="at", q=0.5, at_least=0), [(("column",), "`at` is of type timestamp, and this needs numbers")]),
        (Min(column="j", at_least=0), [(("column",), "`j` is of type json, which has no order")]),
        (Max(column="b", at_least=False), [(("column",), "`b` is of type boolean, which has no order")]),
        (Max(column="nothing", at_least=0), [(("column",), "there is no column `nothing`")]),
        (Min(column="i", at_least="many"), [(("at_least",), "`many` cannot be compared with values of type int64")]),
        (Min(column="day", at_least=3), [(("at_least",), "3 cannot be compared with values of type date")]),
        (
            Min(column="day", at_least="2013-02-30"),
            [(("at_least",), "`2013-02-30` cannot be compared with values of type date")],
        ),
        (
            Min(column="s", between=(1, 2)),
            [((("between"), i), f"{i + 1} cannot be compared with values of type string") for i in (0, 1)],
        ),
        (Min(column="at", at_least=5), [(("at_least",), "5 cannot be compared with values of type timestamp")]),
        (Min(column="i", at_least=True), [(("at_least",), "true cannot be compared with values of type int64")]),
    ],
)
def test_columns_and_bounds_of_the_wrong_type_are_refused(check, found):
    assert problems(check) == found


@pytest.mark.parametrize(
    ("column", "bound"),
    [("i", 1), ("i", 1.5), ("f", 1), ("d", 0.1), ("s", "x"), ("day", "2013-01-01"), ("day", date(2013, 1, 1)), ("at", "2013-01-01"), ("instant", "2013-01-01T10:00Z"), ("t", "10:00")],
)  # fmt: skip
def test_bounds_of_the_right_type_are_taken(column, bound):
    (measure,) = Min(column=column, at_least=bound).measures(SCHEMA).values()
    assert measure.type == SCHEMA[column].type


def test_columns_are_found_whatever_their_case():
    (measure,) = Max(column="DAY", at_least="2013-01-01").measures(SCHEMA).values()
    assert measure.columns() == {"day"}


@pytest.mark.parametrize(
    "limits",
    [
        {},
        {"at_least": 2, "at_most": 1},
        {"at_least": 1, "above": 1},
        {"at_least": float("nan")},
        {"at_least": 1, "at_most": "x"},
        {"min": 1},
    ],
)
def test_bounds_that_cannot_be_meant_are_refused(limits):
    with pytest.raises(ValidationError):
        Mean(column="x", **limits)


@pytest.mark.parametrize("q", [-0.1, 1.1, float("nan")])
def test_a_quantile_lies_between_zero_and_one(q):
    with pytest.raises(ValidationError):
        Quantile(column="x", q=q, at_least=0)
