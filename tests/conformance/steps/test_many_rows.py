"""Steps that look at several rows, or make several of one: aggregate, window, pivot, unpivot, unnest."""

from __future__ import annotations

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st
from tests.conformance.steps.kitchen import bag, in_order, plain
from tests.conformance.steps.rows import LAW, ROWS, SCHEMA

from headrace.business.model.schema import Schema
from headrace.business.model.types import Float, Integer, String


def _groups(rows, *names):
    found = defaultdict(list)
    for row in rows:
        found[tuple(plain(row[n]) for n in names)].append(row)
    return list(found.values())


@LAW
@given(rows=ROWS)
def test_aggregate_measures_each_group_and_takes_nulls_as_equal(kitchen, rows):
    kitchen.table("t", SCHEMA, rows)
    measures = {
        "n": "count(*)",
        "known": "count(k)",
        "late": "count(*) filter (where k > 0)",
        "twice": "sum(k) * 2",
        "first": "min(s)",
    }
    expected = []
    for group in _groups(rows, "f"):
        known = [r["k"] for r in group if r["k"] is not None]
        words = [r["s"] for r in group if r["s"] is not None]
        expected.append(
            {"f": group[0]["f"], "n": len(group), "known": len(known), "late": sum(k > 0 for k in known),
             "twice": 2 * sum(known) if known else None, "first": min(words, default=None)}
        )  # fmt: skip
    assert bag(kitchen.run({"aggregate": {"by": "f", "measures": measures}})) == bag(expected)


@LAW
@given(rows=ROWS)
def test_aggregate_without_by_gives_one_row_even_of_nothing(kitchen, rows):
    kitchen.table("t", SCHEMA, rows)
    (row,) = kitchen.run({"aggregate": {"measures": {"n": "count(*)", "high": "max(k)"}}})
    assert row == {"n": len(rows), "high": max((r["k"] for r in rows if r["k"] is not None), default=None)}


@LAW
@given(rows=ROWS)
def test_aggregate_by_expressions_and_by_a_constant(kitchen, rows):
    kitchen.table("t", SCHEMA, rows)
    found = kitchen.run({"aggregate": {"by": {"positive": "k > 0", "one": 1}, "measures": {"n": "count(*)"}}})
    groups = defaultdict(int)
    for r in rows:
        groups[None if r["k"] is None else r["k"] > 0] += 1
    assert bag(found) == bag([{"positive": p, "one": 1, "n": n} for p, n in groups.items()])


@LAW
@given(rows=ROWS)
def test_window_gives_its_window_to_calls_that_have_none(kitchen, rows):
    numbered = [{"i": i, "k": r["k"], "g": r["s"]} for i, r in enumerate(rows)]
    kitchen.table("t", Schema.of(i=Integer(32), k=Integer(32), g=String()), numbered)
    written = {
        "partition_by": "g", "order_by": "-i", "rows": [-1, 0],
        "columns": {"nth": "row_number()", "pair": "sum(k) filter (where k > 0)", "before": "lag(i)", "whole": "count(*) over ()", "part": "k + sum(k) over (partition by g)"},
    }  # fmt: skip
    expected = []
    for group in _groups(numbered, "g"):
        ordered = sorted(group, key=lambda r: -r["i"])
        known = [r["k"] for r in group if r["k"] is not None]
        for place, row in enumerate(ordered):
            seen = [r["k"] for r in ordered[max(place - 1, 0) : place + 1] if r["k"] is not None and r["k"] > 0]
            part = row["k"] + sum(known) if row["k"] is not None else None
            before = ordered[place - 1]["i"] if place else None
            expected.append(
                {
                    **row,
                    "nth": place + 1,
                    "pair": sum(seen) if seen else None,
                    "before": before,
                    "whole": len(rows),
                    "part": part,
                }
            )
    assert bag(kitchen.run({"window": written})) == bag(expected)


def test_window_rows_may_have_no_end(kitchen):
    kitchen.table("t", Schema.of(i=Integer(32)), [{"i": i} for i in range(4)])
    columns = {"rest": "sum(i)"}
    assert [
        r["rest"] for r in kitchen.run({"window": {"order_by": "i", "rows": [0, None], "columns": columns}}, {"sort": "i"})
    ] == [6, 6, 5, 3]
    assert [
        r["rest"] for r in kitchen.run({"window": {"order_by": "i", "rows": [1, 2], "columns": columns}}, {"sort": "i"})
    ] == [3, 5, 3, None]


def test_a_filter_after_a_window_does_not_change_what_the_window_saw(kitchen):
    kitchen.table("t", Schema.of(i=Integer(32)), [{"i": i} for i in range(4)])
    found = kitchen.run({"window": {"order_by": "i", "columns": {"n": "count(*) over ()"}}}, {"filter": "i > 1"})
    assert bag(found) == bag([{"i": 2, "n": 4}, {"i": 3, "n": 4}])
    one_tree = kitchen.run({"sql": "select * from (select i, count(*) over () as n from t) where i > 1"})
    assert bag(one_tree) == bag(found)


@LAW
@given(rows=ROWS)
def test_pivot_makes_a_column_of_each_declared_value(kitchen, rows):
    kitchen.table("t", SCHEMA, rows)
    written = {
        "by": "s",
        "on": "k",
        "values": {"one": 1, "none": None},
        "measure": {"n": "count(*)", "low": "min(f) filter (where f < 3)"},
    }
    expected = []
    for group in _groups(rows, "s"):
        row = {"s": group[0]["s"]}
        for name, value in (("one", 1), ("none", None)):
            members = [r for r in group if r["k"] == value]
            row[f"{name}_n"] = len(members)
            row[f"{name}_low"] = min((r["f"] for r in members if r["f"] is not None and r["f"] < 3), default=None)
        expected.append(row)
    assert bag(kitchen.run({"pivot": written})) == bag(expected)


@LAW
@given(rows=ROWS, keep=st.booleans())
def test_unpivot_makes_a_row_of_each_column(kitchen, rows, keep):
    kitchen.table("t", SCHEMA, rows)
    found = kitchen.run(
        {"select": ["s", "k", "f"]},
        {"unpivot": {"columns": ["k", "f"], "name_to": "which", "value_to": "x", "keep_nulls": keep}},
    )
    expected = [
        {"s": r["s"], "which": n, "x": None if r[n] is None else float(r[n])}
        for r in rows
        for n in ("k", "f")
        if keep or r[n] is not None
    ]
    assert bag(found) == bag(expected)


@LAW
@given(rows=ROWS, keep=st.booleans())
def test_unnest_makes_a_row_of_each_item(kitchen, rows, keep):
    kitchen.table("t", SCHEMA, rows)
    found = kitchen.run({"unnest": {"column": "t", "into": "item", "keep_empty": keep}})
    expected = [
        {**{n: r[n] for n in ("k", "s", "f", "d")}, "item": item} for r in rows for item in (r["t"] or ([None] if keep else []))
    ]
    assert bag(found) == bag(expected)


def test_unpivot_and_pivot_undo_each_other(kitchen):
    rows = [{"id": i, "a": float(i), "b": None if i % 2 else i * 2.0} for i in range(6)]
    kitchen.table("t", Schema.of(id=Integer(32), a=Float(64), b=Float(64)), rows)
    found = kitchen.run(
        {"unpivot": ["a", "b"]}, {"pivot": {"by": "id", "on": "name", "values": ["a", "b"], "measure": "max(value)"}}
    )
    assert sorted(bag(found)) == sorted(bag(rows))
    assert in_order(None) > in_order(1.0)
