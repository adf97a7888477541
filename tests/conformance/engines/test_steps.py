"""Every step over tables of odd values gives the same rows on every engine, in the same order where an order is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal as Exact
from importlib.metadata import entry_points
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.conformance.engines.adapters import Adapter
from tests.conformance.engines.tables import fill, result, steps

from headrace.business.model.schema import Schema
from headrace.business.model.types import Boolean, Date, Decimal, Float, Integer, Json, List, String, Timestamp

SCHEMA = Schema.of(
    k=Integer(32), s=String(), f=Float(64), d=Date(), at=Timestamp(zone=True), x=Decimal(38, 10), b=Boolean(), t=List(String()), j=Json()
)  # fmt: skip
OTHER = Schema.of(k=Integer(64), s=String(), n=String())
WORDS = st.sampled_from(
    ["", " ", "a", "A b", " ä  b ", "a\tb\n", "NA", "it's", 'q"', "straße", "z", "𝄞", "Z", "é", "e\u0301", "10", "9"]
)
ROW = st.fixed_dictionaries(
    {
        "k": st.none() | st.integers(-2, 2),
        "s": st.none() | WORDS,
        "f": st.none() | st.sampled_from([0.0, -0.0, -1.5, 2.25, 1e300, float("nan"), float("inf"), float("-inf"), 5e-324]),
        "d": st.none() | st.sampled_from([date(1, 1, 1), date(2024, 2, 29), date(9999, 12, 31)]),
        "at": st.none()
        | st.sampled_from(
            [
                datetime(1, 1, 1, tzinfo=UTC),
                datetime(2024, 3, 31, 1, 30, tzinfo=UTC),
                datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
            ]
        ),
        "x": st.none()
        | st.sampled_from(
            [Exact("0E-10"), Exact("-0.5000000000"), Exact("9999999999999999999999999999.9999999999"), Exact("2.5000000000")]
        ),
        "b": st.none() | st.booleans(),
        "t": st.none() | st.lists(st.none() | WORDS, max_size=3),
        "j": st.none() | st.sampled_from(['{"a": 1}', "[1, null]", "null", '"x"', "1.5"]),
    }
)
ROWS = st.lists(ROW, max_size=14)
OTHERS = st.lists(
    st.fixed_dictionaries({"k": st.none() | st.integers(-2, 3), "s": st.none() | WORDS, "n": st.none() | WORDS}), max_size=7
)

Step = Mapping[str, Any]
#: Steps whose rows come in any order.
BAGS: tuple[tuple[Step, ...], ...] = (
    ({"select": ["f", "k", "s"]},),
    ({"select": {"drop": ["k", "t"]}},),
    ({"rename": {"k": "s", "s": "k"}},),
    ({"filter": "k > 0 and s <> 'a' or f is null"},),
    ({"filter": "not (s < 'b') and f > 1"},),
    ({"derive": {"k": "k * 10", "more": "k + 1", "word": "upper(s) || '!'", "half": "x / 2", "r": "round(x, 2)"}},),
    ({"derive": {"s": "lower(s)"}}, {"aggregate": {"by": "s", "measures": {"n": "count(*)", "last": "max(d)"}}}),
    ({"clean": {"trim": "*", "collapse": ["s"], "nulls": ["NA", ""], "case": {"s": "title"}, "fill": {"k": 7}, "clip": {"f": [-1, 2.5]}}},),
    ({"cast": {"k": "string", "f": {"to": "decimal(5, 2)", "invalid": "null"}, "x": {"to": "int64", "invalid": "null"}, "d": "timestamp", "s": {"to": "int32", "invalid": "null"}}},),
    ({"dedupe": {"key": ["k", "f"], "keep": "last", "order_by": ["d", "s", "x", "at", "b"]}}, {"select": ["k", "f", "d", "s", "x"]}),
    ({"dedupe": {"key": "s", "order_by": ["k nulls first", "f desc", "d", "x", "at", "b"]}}, {"select": ["s", "k", "f"]}),
    ({"select": ["k", "s", "f", "d", "x", "t"]}, {"dedupe": {}}),
    ({"aggregate": {"by": ["f", "b"], "measures": {
        "n": "count(*)", "known": "count(k)", "different": "count(distinct s)", "late": "count(*) filter (where k > 0)", "total": "sum(x / 10000000000)",
        "least": "min(s)", "most": "max(f)", "truth": "bool_or(b)", "high": "max(b)", "low": "min(x)", "words": "string_agg(s, '|' order by s, k)",
        "all": "list(distinct s order by s)", "first": "first(s order by k, s, f, d)", "by": "arg_max(s, k)", "common": "mode(s)", "middle": "quantile_disc(k, 0.5)",
        "half": "median(k)", "day": "any_value(d)", "sum": "sum(k)", "mean": "avg(k)"}}},),
    ({"aggregate": {"measures": {"n": "count(*)", "high": "max(at)", "near": "approx_count_distinct(s)"}}},),
    ({"aggregate": {"by": {"positive": "k > 0", "one": 1}, "measures": {"n": "count(*)", "spread": "stddev_pop(k)"}}},),
    *(({"aggregate": {"window": window, "by": "b", "measures": {"n": "count(*)", "low": "min(k)", "mean": "avg(k)"}, "emit": "both"}},) for window in (
        {"tumbling": "7 days", "on": "at"}, {"sliding": "10 days", "every": "3 days", "on": "d"}, {"session": "2 hours", "on": "at", "start": "from", "end": "to"})),
    ({"dedupe": {"key": ["k"], "within": "1 day"}}, {"aggregate": {"by": ["k", "at"], "measures": {"n": "count(*)"}}}),
    *(({"join": {"with": "t", "on": ["k"], "within": "1 day", "how": how, "suffix": "_t"}}, {"select": ["k", "s", "at", "at_t", "s_t"]}) for how in ("inner", "left")),
    ({"window": {"partition_by": "b", "order_by": ["k", "s", "f", "d", "x", "at"], "columns": {"n": "row_number()", "r": "rank() over (partition by s order by k)", "run": "sum(k)", "before": "lag(s)", "after": "lead(s, 2, '?')", "share": "cume_dist() over (order by s)", "top": "first_value(s)", "part": "ntile(2)", "most": "max(s) over ()"}}}, {"select": {"drop": ["t", "j"]}}),
    ({"window": {"partition_by": "s", "order_by": ["k", "f", "d", "x", "at"], "rows": [-1, 1], "columns": {"near": "count(*)", "low": "min(k)"}}}, {"select": ["s", "k", "near", "low"]}),
    ({"pivot": {"by": "s", "on": "k", "values": {"one": 1, "none": None}, "measure": {"n": "count(*)", "low": "min(f) filter (where f < 3)"}}},),
    ({"select": ["s", "k", "f"]}, {"unpivot": {"columns": ["k", "f"], "name_to": "which", "value_to": "x"}}),
    ({"select": ["s", "k", "f"]}, {"unpivot": {"columns": ["k", "f"], "name_to": "name", "value_to": "value", "keep_nulls": True}}, {"aggregate": {"by": "name", "measures": {"n": "count(*)"}}}),
    ({"unnest": {"column": "t", "into": "item"}},),
    ({"unnest": {"column": "t", "into": "t", "keep_empty": True}}, {"aggregate": {"by": "t", "measures": {"n": "count(*)"}}}),
    *(({"join": {"with": "u", "on": ["k"], "how": how, "suffix": "_u"}},) for how in ("inner", "left", "right", "full", "semi", "anti")),
    *(({"join": {"with": "u", "on": 's < "u.s"', "how": how, "prefix": "u."}},) for how in ("inner", "left", "semi", "anti")),
    ({"join": {"with": "u", "on": {"k": "k", "s": "n"}, "suffix": "2"}},),
    ({"join": {"with": "u", "how": "cross", "prefix": "u_"}},),
    ({"lookup": {"with": "v", "on": "k", "take": {"word": "s", "n": "n"}, "default": {"n": "unknown"}, "missing": "null"}},),
    ({"lookup": {"with": "v", "on": "k", "take": {"word": "s"}, "missing": "drop"}},),
    ({"select": ["k", "s"]}, {"union": {"with": ["u2", "u2"], "distinct": True}}),
    ({"select": ["k", "s"]}, {"union": "u2"}),
    ({"sample": "50%"},),
    ({"select": ["k", "s", "d", "b", "x"]}, {"sample": {"share": 0.6, "seed": 5}}, {"select": ["k", "s"]}),
    ({"select": ["k", "s", "d", "at"]}, {"filter": "k is not null"}, {"sample": {"rows": 3, "seed": 1}}),
    ({"sql": "select s, count(*) as n, sum(k) over (partition by s) as w from (select distinct s, k from t) group by s, k having count(*) > 0"},),
    ({"sql": "(select s, k from t) intersect all (select s, k from u) except (select n, k from u)"},),
    ({"sql": "select k, b, count(*) as n, grouping(k) as g from t group by grouping sets ((k, b), (k), ())"},),
    ({"sql": "select k, s from t where s in (select s from u) or exists (select 1 from u where u.k = t.k and u.n > t.s) qualify row_number() over (partition by s order by k, f, d, x, at) = 1"},),
    ({"sql": "select t.k, (select max(n) from u where u.k = t.k) as n from t where k not in (select k from u where k is not null)"},),
    ({"sql": "select case when f > 1 then s else '' end as w, coalesce(d, date '2000-01-01') as d, x * 2 as y from t where x between -1 and 3"},),
    ({"sql": "select * from (values (1, 'a'), (2, null)) as v(n, w) cross join (select count(*) as c from t)"},),
)  # fmt: skip
#: Steps that ask for an order.
ORDERED: tuple[tuple[Step, ...], ...] = (
    ({"sort": ["s", "-f", "d desc nulls first", "k", "x", "at", "b"]}, {"select": ["s", "f", "d", "k", "x"]}),
    ({"sort": "s"}, {"limit": 4}),
    ({"sort": "-x"}, {"limit": 3}),
    ({"derive": {"s": "upper(s)"}}, {"sort": ["s", "k", "f", "d", "x", "at", "b"]}, {"select": ["s", "k", "f"]}),
    ({"sql": "select distinct s, k from t order by s desc nulls first, k limit 5 offset 1"},),
    ({"sql": "select s, count(*) as n from t group by s order by n desc, s"},),
    ({"sql": "select min(s) as low, k from t group by k order by low nulls first, k"},),
    ({"sql": "select s as a from t union select n from u order by a"},),
)  # fmt: skip
MANY = settings(max_examples=3, deadline=None, database=None, suppress_health_check=list(HealthCheck))


def tables(rows: list[Any], others: list[Any]) -> dict[str, Any]:
    single = list({row["k"]: row for row in others if row["k"] is not None}.values())
    plain = [{"k": row["k"], "s": row["s"]} for row in others]
    return {
        "t": (SCHEMA, rows),
        "u": (OTHER, others),
        "v": (OTHER, single),
        "u2": (Schema.of(k=Integer(64), s=String()), plain),
    }


@MANY
@given(rows=ROWS, others=OTHERS)
def test_the_same_rows(engines: Mapping[str, Adapter], rows: list[Any], others: list[Any]) -> None:
    given_tables = tables(rows, others)
    filled = {name: fill(engine, given_tables) for name, engine in engines.items()}
    for written in (*BAGS, *ORDERED):
        made = steps(written, given_tables)
        found = {}
        for name, engine in engines.items():
            assert [why for _, relation in made for why in engine.relation_problems(relation)] == [], written
            found[name] = result(engine, made, filled[name], digits=12)
        if written in BAGS:
            found = {name: sorted(bag) for name, bag in found.items()}
        first = next(iter(found.values()))
        for name, other in found.items():
            assert (name, written, other) == (name, written, first)


def test_every_step_is_among_them() -> None:
    walked = {kind for written in (*BAGS, *ORDERED) for step in written for kind in step}
    assert walked | {"python", "values"} >= {point.name for point in entry_points(group="headrace.steps")}
