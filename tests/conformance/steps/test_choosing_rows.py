"""Steps that choose and order rows: dedupe, sort, limit, sample."""

from __future__ import annotations

import math
from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.conformance.steps.kitchen import bag, in_order, plain
from tests.conformance.steps.rows import LAW, ROWS, SCHEMA

from headrace.business.model.schema import Schema
from headrace.business.model.types import Float, Integer, String


def _all(row):
    return tuple(in_order(tuple(map(in_order, v)) if isinstance(v, list) else v) for v in row.values())


def _key(row, names):
    return tuple(plain(row[n]) for n in names)


@LAW
@given(rows=ROWS, keep=st.sampled_from(["first", "last"]))
def test_dedupe_keeps_one_row_of_each_key(kitchen, rows, keep):
    kitchen.table("t", SCHEMA, rows)
    names = ("k", "f")
    expected = [r for r in rows if None in _key(r, names)]
    complete = sorted((r for r in rows if None not in _key(r, names)), key=lambda r: str(_key(r, names)))
    for _, group in groupby(complete, key=lambda r: _key(r, names)):
        alike = list(group)
        known = [r for r in alike if r["d"] is not None]
        best = (min if keep == "first" else max)((r["d"] for r in known), default=None)
        expected.append(min((r for r in alike if r["d"] == best), key=_all))
    assert bag(kitchen.run({"dedupe": {"key": ["k", "f"], "keep": keep, "order_by": "d"}})) == bag(expected)


@LAW
@given(rows=ROWS)
def test_clean_trims_before_it_dedupes(kitchen, rows):
    kitchen.table("t", SCHEMA, rows)
    found = kitchen.run({"clean": {"trim": ["s"], "dedupe": "s"}})
    words = [r["s"] for r in found if r["s"] is not None]
    assert sorted(words) == sorted({r["s"].strip(" ") for r in rows if r["s"] is not None})
    assert sum(r["s"] is None for r in found) == sum(r["s"] is None for r in rows)


@LAW
@given(rows=ROWS)
def test_dedupe_without_a_key_gives_each_different_row_once(kitchen, rows):
    kitchen.table("t", SCHEMA, rows)
    assert bag(kitchen.run({"dedupe": {}})) == sorted(set(bag(rows)))


def test_dedupe_honours_a_place_that_nulls_were_given(kitchen):
    schema = Schema.of(k=Integer(32), d=Integer(32))
    kitchen.table("t", schema, [{"k": 1, "d": None}, {"k": 1, "d": 5}])
    assert kitchen.run({"dedupe": {"key": "k", "keep": "first", "order_by": "d nulls first"}}) == [{"k": 1, "d": None}]
    assert kitchen.run({"dedupe": {"key": "k", "keep": "last", "order_by": "d nulls last"}}) == [{"k": 1, "d": None}]
    assert kitchen.run({"dedupe": {"key": "k", "keep": "last", "order_by": "d"}}) == [{"k": 1, "d": 5}]


def test_a_key_may_be_called_like_anything_that_the_statement_uses(kitchen):
    names = ["n", "rows", "repeated", "N_", 'a"; drop table t; --']
    schema = Schema.of(**{name: Integer(32) for name in names})
    kitchen.table("repeated", schema, [dict.fromkeys(names, 1)] * 3 + [dict.fromkeys(names, 2)])
    assert sorted(row["n"] for row in kitchen.run({"dedupe": {"key": names}})) == [1, 2]


@LAW
@given(rows=ROWS)
def test_sort_puts_nulls_last_in_both_directions(kitchen, rows):
    kitchen.table("t", SCHEMA, rows)
    up = [r["f"] for r in kitchen.run({"sort": "f"})]
    assert list(map(plain, up)) == [plain(v) for v in sorted((r["f"] for r in rows), key=in_order)]
    down = [r["f"] for r in kitchen.run({"sort": "-f"})]
    known = [r["f"] for r in rows if r["f"] is not None]
    assert list(map(plain, down)) == [plain(v) for v in sorted(known, key=in_order, reverse=True)] + [None] * (
        len(rows) - len(known)
    )
    nulls = [r["f"] for r in kitchen.run({"sort": "f desc nulls first"})]
    assert list(map(plain, nulls)) == [None] * (len(rows) - len(known)) + list(map(plain, down))[: len(known)]


@LAW
@given(rows=ROWS, count=st.integers(0, 5), offset=st.integers(0, 3))
def test_limit_takes_the_first_rows_of_a_sort_that_is_some_steps_away(kitchen, rows, count, offset):
    kitchen.table("t", SCHEMA, rows)
    found = kitchen.run(
        {"derive": {"minus": "-k"}}, {"sort": ["-minus", "s"]}, {"filter": "s is not null"}, {"rename": {"k": "number"}},
        {"limit": {"rows": count, "offset": offset}},
    )  # fmt: skip
    kept = [
        {"number": r["k"], "s": r["s"], "f": r["f"], "d": r["d"], "t": r["t"], "minus": None if r["k"] is None else -r["k"]}
        for r in rows
        if r["s"] is not None
    ]
    kept.sort(key=lambda r: (in_order(r["number"]), in_order(r["s"]), _all(r)))
    assert [bag([r]) for r in found] == [bag([r]) for r in kept[offset : offset + count]]


def test_limit_cuts_ties_in_the_same_place_every_time(kitchen):
    schema = Schema.of(a=Integer(32), b=Integer(32))
    kitchen.table("t", schema, [{"a": i % 3, "b": i} for i in reversed(range(20_000))])
    found = kitchen.run({"sort": "a"}, {"limit": 5})
    assert [r["b"] for r in found] == [0, 3, 6, 9, 12]


@pytest.mark.parametrize("written", [0.25, {"rows": 700}, {"share": "30%", "seed": 7}, {"rows": 200, "seed": 12}])
def test_a_sample_depends_on_the_rows_and_the_seed_alone(kitchen, written):
    schema = Schema.of(a=Integer(32), s=String())
    rows = [{"a": i, "s": f"word {i}"} for i in range(2_000)]
    kitchen.table("t", schema, rows)
    first = kitchen.run({"sample": written})
    kitchen.table("t", schema, list(reversed(rows)))
    assert bag(kitchen.run({"sample": written})) == bag(first)
    assert set(bag(first)) <= set(bag(rows))


def test_a_sample_has_the_size_that_was_asked_for(kitchen):
    kitchen.table("t", Schema.of(a=Integer(32)), [{"a": i} for i in range(4_000)])
    assert len(kitchen.run({"sample": {"rows": 123}})) == 123
    assert len(kitchen.run({"sample": {"rows": 9_999}})) == 4_000
    assert 0.2 < len(kitchen.run({"sample": "25%"})) / 4_000 < 0.3
    assert kitchen.run({"sample": 0}) == []
    assert len(kitchen.run({"sample": 1})) == 4_000


def test_another_seed_gives_another_sample(kitchen):
    kitchen.table("t", Schema.of(a=Integer(32)), [{"a": i} for i in range(2_000)])
    samples = [{r["a"] for r in kitchen.run({"sample": {"share": 0.5, "seed": seed}})} for seed in range(4)]
    overlaps = [len(a & b) / len(a) for i, a in enumerate(samples) for b in samples[:i]]
    assert all(0.4 < overlap < 0.6 for overlap in overlaps)


def test_a_million_equal_rows_dedupe_to_one(kitchen):
    kitchen.table("t", Schema.of(a=Integer(32), f=Float(64)), [])
    kitchen.connection.execute("INSERT INTO t SELECT 1, 'NaN'::DOUBLE FROM range(1_000_000)")
    (row,) = kitchen.run({"dedupe": {"key": ["a", "f"]}})
    assert row["a"] == 1
    assert math.isnan(row["f"])
