"""The columns that come out: names, types, nullability and classification, before anything runs."""

from __future__ import annotations

import pytest

from headrace.business.processing.relation import Distinct, Join

CASES = [
    ("rename", {"carrier": "Carrier"}, ["Carrier: string not null"]),
    ("cast", {"flight": "int64", "carrier": "enum(AA, UA)"}, ["carrier: enum(AA, UA) not null", "flight: int64"]),
    ("derive", {"speed": "distance / 2", "far": "speed > 5"}, ["speed: float64", "far: boolean"]),
    ("clean", {"trim": "*", "nulls": {"carrier": ["NA"]}, "fill": {"distance": 0}}, ["carrier: string", "distance: int32 not null"]),
    ("clean", {"trim": ["carrier"], "case": {"carrier": "title"}, "collapse": ["carrier"]}, []),
    ("join", {"with": "airlines", "on": ["carrier"]}, ["name: string"]),
    ("join", {"with": "airlines", "on": ["carrier"], "how": "full"}, ["name: string"]),
    ("join", {"with": "airports", "on": {"tailnum": "faa"}, "prefix": "a_"}, ["tailnum: string not null", "lat: float64", "a_origin: string"]),
    ("join", {"with": "airports", "on": {"origin": "faa"}, "how": "left", "suffix": "_2"}, ["lat: float64", "origin_2: string"]),
    ("join", {"with": "airports", "on": {"origin": "faa"}, "how": "right", "suffix": "_2"},
     ["carrier: string", "origin: string not null", "lat: float64", "origin_2: string"]),
    ("join", {"with": "airports", "on": "origin = faa", "suffix": "_2"}, ["faa: string not null", "lat: float64", "origin_2: string"]),
    ("join", {"with": "airports", "on": "origin = faa", "suffix": "_2", "how": "left"}, ["faa: string", "lat: float64", "origin_2: string"]),
    ("join", {"with": "airports", "on": "origin = faa", "suffix": "_2", "how": "semi"}, []),
    ("lookup", {"with": "airlines", "on": "carrier", "take": {"airline": "name"}}, ["airline: string"]),
    ("lookup", {"with": "airlines", "on": "carrier", "take": {"airline": "name"}, "default": {"airline": "?"}}, ["airline: string not null"]),
    ("window", {"order_by": "day", "columns": {"n": "row_number()", "before": "lag(flight)"}}, ["n: int64 not null", "before: int32"]),
    ("unpivot", ["flight", "dep_delay"], ["name: string not null", "value: float64 not null"]),
    ("unpivot", {"columns": ["flight", "distance"], "keep_nulls": True}, ["name: string not null", "value: int32"]),
    ("unnest", {"column": "tags", "into": "tag"}, ["tag: string"]),
    ("union", ["airlines"], ["name: string"]),
    ("python", {"call": "a:b", "schema": {"x": "int32"}}, ["x: int32"]),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "written", "expected"), CASES)
def test_columns_that_come_out(bench, kind, written, expected):
    assert bench.columns(kind, written) == expected


def test_aggregate_gives_keys_then_measures(bench):
    measures = {"n": "count(*)", "rare": "count_if(flight > 3)", "mean": "avg(distance)", "all": "sum(distance) + 1"}
    found = bench.apply("aggregate", {"by": ["carrier", "day"], "measures": measures}).schema
    assert list(map(str, found)) == [
        "carrier: string not null", "day: date", "n: int64 not null", "rare: int64 not null", "mean: float64", "all: int64",
    ]  # fmt: skip


def test_pivot_gives_keys_then_a_column_for_each_value(bench):
    found = bench.apply(
        "pivot", {"by": "carrier", "on": "flight", "values": [1, None], "measure": {"n": "count(*)", "far": "max(distance)"}}
    )
    assert found.schema.names == ("carrier", "1_n", "1_far", "null_n", "null_far")


@pytest.mark.parametrize(
    ("kind", "written", "column", "expected"),
    [
        ("rename", {"tailnum": "plane"}, "plane", "pii"),
        ("cast", {"tailnum": "enum(a)"}, "tailnum", "pii"),
        ("derive", {"x": "tailnum || 'x'"}, "x", "pii"),
        ("derive", {"tailnum": "carrier"}, "tailnum", None),
        ("clean", {"trim": "*", "fill": {"tailnum": "?"}}, "tailnum", "pii"),
        ("join", {"with": "airlines", "on": "carrier"}, "name", "internal"),
        (
            "lookup",
            {"with": "airlines", "on": "carrier", "take": {"airline": "name"}, "default": {"airline": "?"}},
            "airline",
            "internal",
        ),
        ("aggregate", {"by": "tailnum"}, "tailnum", "pii"),
        ("aggregate", {"measures": {"x": "max(tailnum)"}}, "x", "pii"),
        ("unpivot", {"columns": ["tailnum", "carrier"]}, "value", "pii"),
        ("union", {"with": "airlines"}, "name", "internal"),
        ("python", "a:b", "tailnum", "pii"),
        ("window", {"columns": {"x": "max(tailnum)"}}, "x", "pii"),
    ],
)
def test_the_classification_of_a_column_follows_it(bench, kind, written, column, expected):
    assert bench.apply(kind, written).schema[column].classification == expected


@pytest.mark.parametrize(
    ("kind", "written", "rows"),
    [
        ("derive", {"x": "1"}, "same"), ("filter", "flight > 1", "fewer"), ("limit", 3, "fewer"), ("dedupe", "flight", "fewer"),
        ("aggregate", {"by": "carrier"}, "any"), ("unnest", "tags", "any"), ("sort", "flight", "same"), ("sample", "10%", "fewer"),
    ],
)  # fmt: skip
def test_what_a_step_does_to_the_number_of_rows_is_known(bench, kind, written, rows):
    assert bench.apply(kind, written).rows == rows


def test_a_lookup_promises_one_partner_at_most(bench):
    written = {"with": "airlines", "on": "carrier", "take": "name"}
    (joined,) = [n for n in bench.apply("lookup", written).walk() if isinstance(n, Join)]
    assert (joined.how, joined.single, joined.rows) == ("left", True, "same")
    (dropping,) = [n for n in bench.apply("lookup", {**written, "missing": None}).walk() if isinstance(n, Join)]
    assert dropping.how == "left"
    (dropping,) = [n for n in bench.apply("lookup", {**written, "missing": "drop"}).walk() if isinstance(n, Join)]
    assert (dropping.how, dropping.rows) == ("inner", "fewer")


def test_clean_that_changes_no_value_only_dedupes(bench):
    found = bench.apply("clean", {"dedupe": "carrier"})
    assert found.inputs == (bench.inputs["input"],)
    assert isinstance(bench.apply("dedupe", {}), Distinct)
