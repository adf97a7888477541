"""Counts of rows, of different values and of repeated keys."""

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from headrace.business.model.schema import Schema
from headrace.business.model.types import Integer, Json, String
from headrace.business.ports import Check, Measured
from headrace.business.validation.checks.counts import DistinctCount, RowCount, Unique
from headrace.errors import DefinitionError

SCHEMA = Schema.of(carrier=String(), flight=Integer(32), extra=Json())
NOW = datetime(2013, 6, 1, tzinfo=UTC)


def judge(check, **values):
    return check.judge(Measured(values, [], NOW))


def problems(check, schema=SCHEMA):
    with pytest.raises(DefinitionError) as caught:
        check.measures(schema)
    return [(p.path, p.message, p.hint) for p in caught.value.problems]


@pytest.mark.parametrize(
    ("limits", "rows", "outcome", "expected"),
    [
        ({"min": 3}, 3, "pass", "at least 3"),
        ({"min": 3}, 2, "fail", "at least 3"),
        ({"max": 3}, 3, "pass", "at most 3"),
        ({"max": 3}, 4, "fail", "at most 3"),
        ({"above": 3}, 3, "fail", "more than 3"),
        ({"below": 3}, 3, "fail", "less than 3"),
        ({"above": 2, "below": 4}, 3, "pass", "more than 2 and less than 4"),
        ({"between": (2, 3)}, 3, "pass", "2 to 3"),
        ({"between": (2, 3)}, 4, "fail", "2 to 3"),
        ({"min": 0}, 0, "pass", "at least 0"),
        ({"max": 0}, 0, "pass", "at most 0"),
        ({"min": 300_000}, 336_776, "pass", "at least 300,000"),
        ({"min": 2**60}, 2**60 - 1, "fail", f"at least {2**60:,}"),
    ],
)
def test_a_row_count_is_within_its_bounds(limits, rows, outcome, expected):
    verdict = judge(RowCount(**limits), rows=rows)
    assert (verdict.outcome, verdict.expected) == (outcome, expected)
    assert verdict.observed == f"{rows:,} row" + ("" if rows == 1 else "s")


@pytest.mark.parametrize(
    "limits",
    [{}, {"min": -1}, {"min": 1.5}, {"min": "many"}, {"minimum": 3}, {"min": 3, "above": 2}, {"min": 5, "max": 3}, {"between": (1, 2), "max": 2}, {"between": (3, 1)}],
)  # fmt: skip
def test_bounds_that_cannot_be_meant_are_refused(limits):
    with pytest.raises(ValidationError):
        RowCount(**limits)


def test_checks_are_checks():
    assert isinstance(RowCount(min=1), Check)
    assert RowCount(min=1).on_fail == "block"


def test_a_distinct_count_of_an_empty_table_is_zero():
    assert judge(DistinctCount(column="carrier", max=0), distinct=0).outcome == "pass"
    assert judge(DistinctCount(column="carrier", min=1), distinct=0).outcome == "fail"


def test_unknown_columns_are_refused_with_the_nearest_name():
    assert problems(DistinctCount(column="carier", min=1)) == [
        (("column",), "there is no column `carier`", "did you mean `carrier`?")
    ]
    assert problems(Unique(columns=("carier", "flite"))) == [
        (("columns", 0), "there is no column `carier`", "did you mean `carrier`?"),
        (("columns", 1), "there is no column `flite`", "did you mean `flight`?"),
    ]


def test_columns_that_make_no_key_are_refused():
    assert problems(Unique(columns=("extra", "extra"), max=1, max_share="1%")) == [
        (("columns", 0), "`extra` holds JSON, which has no equality", None),
        (("columns", 1), "`extra` holds JSON, which has no equality", None),
        (("columns",), "a column is named twice", None),
        (("max_share",), "`max` and `max_share` both say how many to tolerate", "give one of them"),
    ]


@pytest.mark.parametrize(
    ("options", "rows", "distinct", "outcome", "observed"),
    [
        ({}, 10, 10, "pass", "0 surplus rows"),
        ({}, 10, 9, "fail", "1 surplus row (10 rows, 9 different)"),
        ({}, 0, 0, "pass", "0 surplus rows"),
        ({}, 1_000_000, 1, "fail", "999,999 surplus rows (1,000,000 rows, 1 different)"),
        ({"max": 1}, 10, 9, "pass", "1 surplus row (10 rows, 9 different)"),
        ({"max_share": "10%"}, 10, 9, "pass", "1 surplus row (10 rows, 9 different)"),
        ({"max_share": "9.9%"}, 10, 9, "fail", "1 surplus row (10 rows, 9 different)"),
        ({"max_share": "1%"}, 0, 0, "pass", "0 surplus rows"),
    ],
)
def test_surplus_rows_are_what_is_counted(options, rows, distinct, outcome, observed):
    verdict = judge(Unique(columns="carrier", **options), rows=rows, distinct=distinct)
    assert (verdict.outcome, verdict.observed, verdict.values["surplus"]) == (outcome, observed, rows - distinct)


def test_one_column_may_be_written_bare():
    assert Unique(columns="carrier") == Unique(columns=("carrier",))
