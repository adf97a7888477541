"""Steps that treat each row by itself give what a loop over the rows would."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from tests.conformance.steps.kitchen import bag
from tests.conformance.steps.rows import LAW, ROWS, SCHEMA

from headrace.business.model.schema import Column, Schema
from headrace.business.model.types import Boolean, Date, Decimal, Float, Integer, String


@LAW
@given(rows=ROWS)
def test_select_keeps_the_named_columns_in_order(kitchen, rows):
    kitchen.table("t", SCHEMA, rows)
    assert bag(kitchen.run({"select": ["f", "k"]})) == bag([{"f": r["f"], "k": r["k"]} for r in rows])
    assert bag(kitchen.run({"select": {"drop": ["k", "t"]}})) == bag([{n: r[n] for n in ("s", "f", "d")} for r in rows])


@LAW
@given(rows=ROWS)
def test_rename_may_swap_two_names(kitchen, rows):
    kitchen.table("t", SCHEMA, rows)
    expected = [{"s": r["k"], "k": r["s"], "x": r["f"], "d": r["d"], "t": r["t"]} for r in rows]
    assert bag(kitchen.run({"rename": {"k": "s", "s": "k", "f": "x"}})) == bag(expected)


@LAW
@given(rows=ROWS)
def test_filter_keeps_only_rows_for_which_it_is_true(kitchen, rows):
    kitchen.table("t", SCHEMA, rows)
    kept = [r for r in rows if r["k"] is not None and r["k"] > 0]
    assert bag(kitchen.run({"filter": "k > 0"})) == bag(kept)
    assert bag(kitchen.run({"filter": "not (k > 0)"})) == bag([r for r in rows if r["k"] is not None and r["k"] <= 0])


@LAW
@given(rows=ROWS)
def test_derive_sees_the_columns_derived_before(kitchen, rows):
    kitchen.table("t", SCHEMA, rows)

    def derived(r):
        k = None if r["k"] is None else r["k"] * 10
        return {**r, "k": k, "more": None if k is None else k + 1, "word": "x"}

    assert bag(kitchen.run({"derive": {"k": "k * 10", "more": "k + 1", "word": "'x'"}})) == bag(map(derived, rows))


@LAW
@given(rows=ROWS)
def test_clean_repairs_in_its_fixed_order(kitchen, rows):
    kitchen.table("t", SCHEMA, rows)
    written = {
        "fill": {"s": "none"},
        "case": {"s": "upper"},
        "nulls": {"s": ["NA", "", "A B"], "k": [2]},
        "collapse": ["s"],
        "trim": "*",
    }

    def cleaned(r):
        s = None if r["s"] is None else re.sub(r"\s+", " ", r["s"].strip(" "))
        s = None if s in (None, "NA", "", "A B") else "".join(c.upper() if c != "ß" else "ẞ" for c in s)
        return {**r, "s": "none" if s is None else s, "k": None if r["k"] == 2 else r["k"]}

    assert bag(kitchen.run({"clean": written})) == bag(map(cleaned, rows))


@LAW
@given(rows=ROWS)
def test_clip_leaves_null_and_nan_alone(kitchen, rows):
    kitchen.table("t", SCHEMA, rows)

    def clipped(r):
        f, k = r["f"], r["k"]
        if f is not None and not math.isnan(f):
            f = min(max(f, -1.0), 2.5)
        return {**r, "f": f, "k": k if k is None else max(k, 0)}

    assert bag(kitchen.run({"clean": {"clip": {"f": [-1, 2.5], "k": [0, None]}}})) == bag(map(clipped, rows))


def test_title_case_begins_words_after_spaces(kitchen):
    kitchen.table("t", Schema.of(s=String()), [{"s": v} for v in ("NEW york", "o'HARE int'l", "  x", "", None, "éa-b")])
    found = [row["s"] for row in kitchen.run({"clean": {"case": {"s": "title"}}})]
    assert sorted(found, key=str) == sorted(["New York", "O'hare Int'l", "  X", "", None, "Éa-b"], key=str)


def test_cast_reads_text_strictly_and_nulls_what_does_not_fit_when_asked(kitchen):
    texts = ["1", " 2 ", "5.7", "1_000", "0x1F", "", "abc", None]
    kitchen.table("t", Schema.of(s=String()), [{"s": text} for text in texts])
    found = {
        row["text"]: row["s"]
        for row in kitchen.run({"derive": {"text": "s"}}, {"cast": {"s": {"to": "int32", "invalid": None}}})
    }
    assert found == {"1": 1, " 2 ": 2, "5.7": None, "1_000": None, "0x1F": None, "": None, "abc": None, None: None}


def test_cast_fails_the_run_when_a_value_does_not_fit(kitchen):
    import duckdb

    kitchen.table("t", Schema.of(s=String()), [{"s": "abc"}])
    with pytest.raises(duckdb.Error):
        kitchen.run({"cast": {"s": "int32"}})


def test_cast_reads_other_marks_and_formats(kitchen):
    kitchen.table("t", Schema.of(price=String(), day=String()), [{"price": "1.234,50", "day": "31/12/2024"}])
    written = {
        "price": {"to": "decimal(9, 2)", "decimal_mark": ",", "thousands_mark": "."},
        "day": {"to": "date", "format": "%d/%m/%Y"},
    }
    (row,) = kitchen.run({"cast": written})
    assert (str(row["price"]), row["day"].isoformat()) == ("1234.50", "2024-12-31")


def test_what_is_known_never_to_be_null_stays_known(kitchen):
    schema = Schema((Column("a", Integer(32), False, "pii"), Column("s", String(), False), Column("n", Integer(32))))
    kitchen.table("t", schema, [{"a": 1, "s": " x ", "n": None}])
    cleaned = kitchen.relation("clean", {"trim": ["s"], "fill": {"n": 0}})
    assert [c.nullable for c in cleaned.schema] == [False, False, False]
    assert cleaned.schema["a"].classification == "pii"
    emptied = kitchen.relation("clean", {"nulls": {"s": ["x"]}})
    assert emptied.schema["s"].nullable
    cast = kitchen.relation("cast", {"a": "string", "n": {"to": "string", "invalid": "null"}})
    assert [(c.nullable, c.classification) for c in cast.schema] == [(False, "pii"), (False, None), (True, None)]


@pytest.mark.parametrize(
    ("kind", "value", "read"),
    [
        (Boolean(), True, True),
        (Date(), "2024-02-29", "2024-02-29"),
        (Decimal(9, 2), 1.25, "1.25"),
        (Float(64), 3, "3.0"),
        (String(), "it's", "it's"),
    ],
)
def test_fill_takes_a_value_of_every_type(kitchen, kind, value, read):
    kitchen.table("t", Schema.of(x=kind), [{"x": None}])
    (row,) = kitchen.run({"clean": {"fill": {"x": value}}})
    assert str(row["x"]) == str(read)
