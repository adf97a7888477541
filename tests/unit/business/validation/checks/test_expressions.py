"""Checks that are written as expressions: conditions over aggregates, reconciliation, anomalies, and conditions on rows."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as D

import pytest
from pydantic import ValidationError

from headrace.business.model.schema import Schema
from headrace.business.model.types import Date, Float, Integer, String
from headrace.business.ports import Comparing, Measured
from headrace.business.processing.expressions.ir import Aggregate
from headrace.business.validation.checks.anomaly import Anomaly, RowCountAnomaly
from headrace.business.validation.checks.counts import RowCount
from headrace.business.validation.checks.expression import Expression
from headrace.business.validation.checks.reconcile import Reconcile
from headrace.business.validation.checks.shares import RowShare
from headrace.errors import DefinitionError

NOW = datetime(2013, 6, 1, 6, tzinfo=UTC)
SCHEMA = Schema.of(amount=Integer(64), delay=Float(64), day=Date(), carrier=String())


def judge(check, values, history=(), now=NOW):
    return check.judge(Measured(values, list(history), now))


def problems(check, schema=SCHEMA):
    with pytest.raises(DefinitionError) as caught:
        check.measures(schema)
    return [(p.path, p.message, p.offset) for p in caught.value.problems]


# Conditions over aggregates


def test_an_expression_shows_the_aggregates_that_it_compares():
    check = Expression(condition="sum(amount) > 0 and count(*) < 10 and sum(amount) < 100")
    assert list(check.measures(SCHEMA)) == ["holds", "sum(amount)", "count(*)"]
    verdict = judge(check, {"holds": True, "sum(amount)": 12_000, "count(*)": 7})
    assert (verdict.outcome, verdict.observed, verdict.expected) == (
        "pass",
        "sum(amount) = 12,000, count(*) = 7",
        check.condition,
    )
    assert judge(check, {"holds": False, "sum(amount)": -1, "count(*)": 7}).outcome == "fail"


def test_an_expression_that_is_null_judges_nothing():
    verdict = judge(Expression(condition="sum(amount) > 0"), {"holds": None, "sum(amount)": None})
    assert (verdict.outcome, verdict.observed) == ("skipped", "neither true nor false: sum(amount) = nothing")


def test_different_aggregates_that_look_alike_keep_apart():
    names = list(Expression(condition="sum(amount + 1) > sum(amount * 2)").measures(SCHEMA))
    assert len(names) == 3


def test_where_narrows_every_aggregate():
    for measure in (
        Expression(condition="sum(amount) > avg(delay) filter (where amount > 1)", where="carrier = 'UA'")
        .measures(SCHEMA)
        .values()
    ):
        aggregates = [node for node in measure.walk() if isinstance(node, Aggregate)]
        assert all(node.where is not None and "carrier" in node.where.columns() for node in aggregates)


@pytest.mark.parametrize(
    ("check", "path", "says"),
    [
        (Expression(condition="sum(amount)"), ("condition",), "must be true or false"),
        (Expression(condition="amount > 0"), ("condition",), "has a value in every row"),
        (Expression(condition="sum(amonut) > 0"), ("condition",), "amonut"),
        (Expression(condition="sum(amount) >"), ("condition",), ""),
        (Expression(condition="count(*) > 0", where="carier = 'UA'"), ("where",), "carier"),
        (Expression(condition="count(*) > 0", where="amount"), ("where",), "must be true or false"),
        (Expression(condition="count(*) > 0", where="sum(amount) > 0"), ("where",), ""),
        (RowCount(min=1, where="delay >"), ("where",), ""),
        (RowShare(max=0.5, where="day + 1"), ("where",), ""),
        (Reconcile(against="x", measure="sum(carrier)"), ("measure",), ""),
        (Reconcile(against="x", measure="max(day)", within=1), ("measure",), "only numbers can differ by a little"),
        (Anomaly(measure="max(carrier)"), ("measure",), "must be a number"),
        (Expression(condition="1 > 0"), ("condition",), "looks at no row"),
        (Anomaly(measure="delay"), ("measure",), "has a value in every row"),
        (RowCountAnomaly(where="nope = 1"), ("where",), "nope"),
    ],
)
def test_what_cannot_be_evaluated_is_refused_at_its_option(check, path, says):
    (found,) = problems(check)
    assert found[0] == path
    assert says in found[1]


def test_a_problem_says_where_in_the_text_it_is():
    ((_, _, offset),) = problems(Expression(condition="count(*) > 0 and sum(amonut) > 0"))
    assert offset == len("count(*) > 0 and sum(")


def test_all_problems_are_said_at_once():
    assert [path for path, _, _ in problems(Expression(condition="sum(x) > 0", where="y = 1"))] == [("where",), ("condition",)]


# Reconciliation


@pytest.mark.parametrize(
    ("options", "here", "there", "outcome"),
    [
        ({}, 336_776, 336_776, "pass"),
        ({}, 336_776, 336_775, "fail"),
        ({}, 2**60, 2**60 + 1, "fail"),
        ({"within": 1}, 336_776, 336_775, "pass"),
        ({"within": D("0.01")}, D("10.00"), D("10.01"), "pass"),
        ({"within": D("0.01")}, D("10.00"), D("10.011"), "fail"),
        ({"within": 0.01}, D("10.00"), D("10.01"), "pass"),
        ({"within_share": "1%"}, 99, 100, "pass"),
        ({"within_share": "1%"}, 98, 100, "fail"),
        ({"within_share": "1%"}, -99, -100, "pass"),
        ({"within_share": "1%"}, 1, 0, "fail"),
        ({"within_share": "1%"}, 0, 0, "pass"),
        ({}, 0.1 + 0.2, 0.3, "fail"),
        ({"within": 1e-9}, 0.1 + 0.2, 0.3, "pass"),
        ({"within": 1}, float("nan"), float("nan"), "fail"),
        ({"within": 1}, float("inf"), float("inf"), "pass"),
        ({"within": 1}, float("inf"), 1.0, "fail"),
        ({}, date(2013, 1, 1), date(2013, 1, 1), "pass"),
        ({}, date(2013, 1, 1), date(2013, 1, 2), "fail"),
        ({}, None, 5, "fail"),
        ({}, 5, None, "fail"),
        ({}, None, None, "skipped"),
    ],
)
def test_two_datasets_agree_or_not(options, here, there, outcome):
    assert judge(Reconcile(against="flights", **options), {"here": here, "there": there}).outcome == outcome


def test_people_read_both_sides():
    verdict = judge(Reconcile(against="flights", within_share="1%"), {"here": 336_776, "there": 336_700})
    assert (verdict.observed, verdict.expected) == (
        "336,776 here, 336,700 in `flights` (differ by 76)",
        "as in `flights`, within 1 %",
    )


def test_reconciling_compares_and_measures_both_sides():
    check = Reconcile(against="raw", measure="sum(amount)", other_measure="sum(total)")
    assert isinstance(check, Comparing)
    assert check.other == "raw"
    assert check.measures(SCHEMA)["here"].columns() == {"amount"}
    assert check.other_measures(Schema.of(total=Integer(64)))["there"].columns() == {"total"}
    with pytest.raises(DefinitionError) as caught:
        check.other_measures(SCHEMA)
    assert caught.value.problems[0].path == ("other_measure",)
    assert not isinstance(RowCount(min=1), Comparing)


@pytest.mark.parametrize("options", [{"within": 1, "within_share": "1%"}, {"within": -1}, {"within": "nan"}])
def test_one_tolerance_is_enough(options):
    with pytest.raises(ValidationError):
        Reconcile(against="x", **options)


# Anomalies


def runs(values, days=1):
    return [(NOW - timedelta(days=days * (len(values) - i)), {"value": v}) for i, v in enumerate(values)]


def test_too_little_history_is_learning():
    verdict = judge(RowCountAnomaly(), {"value": 100}, runs([100] * 21))
    assert (verdict.outcome, verdict.observed) == ("learning", "100, 3 comparable runs of 4 so far")
    assert judge(RowCountAnomaly(), {"value": 100}).outcome == "learning"


def test_an_anomaly_says_how_far_off_it_is():
    verdict = judge(RowCountAnomaly(), {"value": 50_000}, runs([100_000] * 60))
    assert (verdict.outcome, verdict.observed, verdict.expected) == (
        "fail",
        "50,000 (50% less than expected)",
        "88,000 to 112,000",
    )
    assert judge(RowCountAnomaly(), {"value": 100_500}, runs([100_000] * 60)).outcome == "pass"


def test_history_kept_as_text_or_with_gaps_is_read():
    history = runs([D("100"), "100", 100.0, None, float("nan"), 100, 100] * 10)
    assert judge(Anomaly(measure="avg(delay)"), {"value": 100.0}, history).outcome == "pass"


def test_a_measure_without_a_value_is_not_like_before():
    assert judge(Anomaly(measure="avg(delay)"), {"value": None}, runs([100] * 60)).outcome == "fail"
    assert judge(Anomaly(measure="avg(delay)"), {"value": None}).outcome == "learning"
    assert judge(Anomaly(measure="avg(delay)"), {"value": float("nan")}, runs([100] * 60)).outcome == "fail"


def test_known_days_are_neither_judged_nor_learnt_from():
    check = RowCountAnomaly(except_on=["2013-06-01"])
    assert judge(check, {"value": 1}, runs([100] * 60)).outcome == "skipped"
    odd = [1 if i % 7 == 4 else 100 for i in range(60)]
    days = [when.date() for when, values in runs(odd) if values["value"] == 1]
    assert judge(RowCountAnomaly(except_on=days), {"value": 1}, runs(odd)).outcome == "learning"
    assert judge(RowCountAnomaly(), {"value": 1}, runs(odd)).outcome == "pass"


@pytest.mark.parametrize(
    "options", [{"history": "2 weeks"}, {"history": 8}, {"sensitivity": 0}, {"floor": "200%"}, {"season": "week"}]
)
def test_tunings_that_cannot_be_meant_are_refused(options):
    with pytest.raises(ValidationError):
        RowCountAnomaly(**options)


def test_what_is_kept_with_a_run_is_plain():
    """Decimals, dates, NaN and infinities become text, so that a verdict can always be written down."""
    here = {"a": D("1.50"), "b": date(2013, 1, 1), "c": float("nan"), "d": 2**70, "e": "x", "f": None, "here": 1, "there": 1}
    kept = judge(Reconcile(against="x"), here).values
    assert kept == {"a": "1.50", "b": "2013-01-01", "c": "nan", "d": 2**70, "e": "x", "f": None, "here": 1, "there": 1}
