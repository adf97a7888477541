"""Everything that is wrong with a step is said at once, at its place."""

from __future__ import annotations

import pytest

from headrace.errors import DefinitionError

CASES = [
    ("select", ["carier"], [(("columns", 0), None, "there is no column `carier`")]),
    ("select", ["carrier", "CARRIER"], [(("columns", 1), None, "`CARRIER` is named twice")]),
    ("select", {}, [((), None, "say which columns to keep, or which ones to `drop`")]),
    ("select", {"columns": ["carrier"], "drop": ["flight"]}, [((), None, "say which columns to keep, or which ones to `drop`")]),
    ("rename", {"carier": "x", "flight": "Origin"}, [
        (("columns", "carier"), None, "there is no column `carier`"), (("columns", "flight"), None, "there is already a column `origin`")]),
    ("rename", {"carrier": "x", "flight": "X"}, [(("columns", "flight"), None, "there is already a column `x`")]),
    ("cast", {"tags": "date", "flght": "int8"}, [
        (("columns", "tags"), None, "there is no cast from list<string> to date"), (("columns", "flght"), None, "there is no column `flght`")]),
    ("filter", "dep_delay > 0 and dep_dely < 9", [(("condition",), 18, "there is no column `dep_dely`")]),
    ("filter", "distance", [(("condition",), 0, "a condition must be true or false, and this is an int32")]),
    ("filter", "distance > 'far'", None),
    ("filter", "sum(distance) > 3", [(("condition",), 0, "`sum` looks at many rows, and only one is seen here")]),
    ("derive", {"a": "distnce * 2", "b": "carrier || orign", "c": "a + 1"}, [
        (("columns", "a"), 0, "there is no column `distnce`"), (("columns", "b"), 11, "there is no column `orign`")]),
    ("derive", {"Carrier": "1"}, [(("columns", "Carrier"), None, "there is already a column `carrier`")]),
    ("derive", {"x": None}, [(("columns", "x"), None, "this is always null, and of no type")]),
    ("clean", {}, [((), None, "there is nothing to clean here")]),
    ("clean", {"trim": ["carrier", "distance"], "collapse": ["nope"], "case": {"flight": "upper"}, "fill": {"distance": "x", "tailnum": None},
               "clip": {"carrier": [0, 1], "distance": [9, 1]}, "nulls": {"dep_delay": [-999, "NA"]}, "dedupe": {"key": ["cc"], "keep": "last"}}, [
        (("trim", 1), None, "`distance` is of type int32, and this is for text"), (("collapse", 0), None, "there is no column `nope`"),
        (("nulls", "dep_delay", 1), None, "this is a string, where a float64 is needed"),
        (("case", "flight"), None, "`flight` is of type int32, and this is for text"),
        (("fill", "distance"), None, "this is a string, where an int32 is needed"), (("fill", "tailnum"), None, "null fills nothing"),
        (("clip", "carrier"), None, "`carrier` is of type string; numbers, dates and timestamps can be clipped"),
        (("clip", "distance"), None, "the least value, 9, is above the greatest, 1"),
        (("dedupe", "key", 0), None, "there is no column `cc`"), (("dedupe", "keep"), None, "`keep: last` needs an order")]),
    ("dedupe", {"key": ["carrier", "raw"], "order_by": ["-nope", "abs(distnce) desc"]}, [
        (("order_by", 0), None, "there is no column `nope`"), (("order_by", 1), 4, "there is no column `distnce`"),
        (("key", 1), None, "`raw` is of type json, which cannot be a key")]),
    ("dedupe", {"order_by": "flight"}, [(("order_by",), None, "rows that are alike in every column need no order")]),
    ("sort", ["tags", "1", "-flight desc"], [
        (("by", 0), None, "`tags` is of type list<string>, which has no order"), (("by", 1), None, "a constant orders nothing"),
        (("by", 2), None, "`-` already says that the greatest comes first")]),
    ("sample", {}, [((), None, "say either `share` or `rows`")]),
    ("sample", {"share": 0.5, "rows": 3}, [((), None, "say either `share` or `rows`")]),
    ("join", {"with": "airlnes", "on": "carrier"}, [(("with",), None, "there is no dataset `airlnes` before this step")]),
    ("join", {"with": "airports", "on": {"origin": "fa", "nope": "faa"}, "suffix": "2"}, [
        (("on", "origin"), None, "there is no column `fa` in `airports`"), (("on", "nope"), None, "there is no column `nope`")]),
    ("join", {"with": "airports", "on": {"distance": "faa"}, "suffix": "2"}, [
        (("on", "distance"), None, "`distance` is of type int32, and `faa` of `airports` of type string")]),
    ("join", {"with": "airports", "on": {"tailnum": "faa"}}, [(("with",), None, "both datasets have columns called `origin`")]),
    ("join", {"with": "airports", "on": "origin = fa", "suffix": "_2", "expect": "one"}, [
        (("on",), 9, "there is no column `fa`"), (("expect",), None, "`expect: one` cannot be checked for a condition")]),
    ("join", {"with": "airlines"}, [((), None, "say which rows belong together")]),
    ("join", {"with": "airlines", "how": "cross", "on": "carrier"}, [(("on",), None, "a cross join pairs every row with every row")]),
    ("join", {"with": "airlines", "how": "full", "on": "carrier", "expect": "one"}, [
        (("expect",), None, "`expect: one` is for inner and left joins, not for full")]),
    ("lookup", {"with": "airlines", "on": "carrier", "take": ["nam", "name"], "default": {"nme": 1}}, [
        (("take", 0), None, "there is no column `nam` in `airlines`"), (("default", "nme"), None, "`nme` is not among the columns to take")]),
    ("lookup", {"with": "airports", "on": {"tailnum": "faa"}, "take": ["origin"], "default": {"origin": 3}}, [
        (("default", "origin"), None, "this is an int64, where a string is needed"), (("take", 0), None, "there is already a column `origin`")]),
    ("aggregate", {}, [((), None, "say what makes a group with `by`, or what to measure")]),
    ("aggregate", {"by": ["carier"], "measures": {"x": "distance + count(*)", "y": "sum(carrier)"}}, None),
    ("aggregate", {"by": ["carrier"], "measures": {"x": "count(*) + distance", "Carrier": "count(*)"}}, [
        (("measures", "x"), 11, "`distance` has many values in a group"), (("measures", "Carrier"), None, "there is already a column `carrier`")]),
    ("window", {"columns": {"a": "row_number()", "b": "distance * 2", "flight": "sum(x)"}, "rows": [3, 1]}, [
        (("rows",), None, "the first row comes after the last")]),
    ("window", {"columns": {"a": "row_number()", "b": "distance * 2", "c": "sum(x)", "Origin": "count(*)"}}, [
        (("columns", "a"), 0, "`row_number` needs to know the order of the rows"), (("columns", "b"), None, "this looks at its own row only"),
        (("columns", "c"), 4, "there is no column `x`"), (("columns", "Origin"), None, "there is already a column `origin`")]),
    ("window", {"partition_by": "x", "order_by": ["abs(distance)", "day"], "columns": {"a": "count(*)"}}, [
        (("partition_by", 0), None, "there is no column `x`"), (("order_by", 0), None, "the order of a window is by columns")]),
    ("pivot", {"by": ["carier"], "on": "orign", "values": ["EWR"], "measure": "distance"}, [
        (("by", 0), None, "there is no column `carier`"), (("measure",), 0, "`distance` has many values in a group"),
        (("measure",), None, "a measure needs an aggregate"), (("on",), None, "there is no column `orign`")]),
    ("pivot", {"by": ["carrier"], "on": "distance", "values": [1, "far", 1], "measure": "count(*)"}, [
        (("values", 1), None, "this is a string, where an int32 is needed"), (("values", 2), None, "there is already a column `1`")]),
    ("unpivot", {"columns": ["distance", "origin"], "name_to": "carrier", "value_to": "Carrier"}, [
        (("name_to",), None, "there is already a column `carrier`"), (("value_to",), None, "there is already a column `carrier`"),
        (("columns", 1), None, "`origin` is of type string, and `distance` of type int32")]),
    ("unnest", "origin", [(("column",), None, "`origin` is of type string, and only lists have items")]),
    ("unnest", {"column": "tags", "into": "raw"}, [(("into",), None, "there is already a column `raw`")]),
    ("union", ["airlines", "nope"], [(("with", 1), None, "there is no dataset `nope` before this step")]),
    ("sql", "select carier from flights", [(("query",), 7, "there is no column `carier`")]),
    ("python", {"call": "steps", "with": ["x"], "schema": {"a": "int32", "A": "int32"}}, [
        (("with", 0), None, "there is no dataset `x` before this step"), (("call",), None, "`steps` does not say which function is meant"),
        (("schema", "A"), None, "there is already a column `a`")]),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "written", "expected"), [case for case in CASES if case[2] is not None])
def test_problems_are_said_at_their_place(bench, kind, written, expected):
    assert sorted(map(repr, bench.problems(kind, written))) == sorted(map(repr, expected))


@pytest.mark.parametrize(("kind", "written"), [case[:2] for case in CASES])
def test_every_problem_names_an_option_and_says_what_to_do(bench, kind, written):
    with pytest.raises(DefinitionError) as caught:
        bench.apply(kind, written)
    options = {field.alias or name for name, field in type(bench.step(kind, written)).model_fields.items()}
    for problem in caught.value.problems:
        assert not problem.path or problem.path[0] in options
        assert problem.message == problem.message.strip()
        assert not problem.message.endswith(".")


@pytest.mark.parametrize(
    ("kind", "written", "hint"),
    [
        ("select", ["carier"], "did you mean `carrier`?"),
        ("join", {"with": "airlnes", "on": "carrier"}, "did you mean `airlines`?"),
        ("lookup", {"with": "airports", "on": {"origin": "fa"}, "take": "lat"}, "did you mean `faa`?"),
        ("join", {"with": "airports", "on": {"tailnum": "faa"}}, "say `suffix: _airports`, or `select` and `rename` before"),
        ("rename", {"flight": "Origin"}, "SQL does not tell `Origin` from `origin`; choose another name"),
        ("unnest", "origin", "cast it before, as in `cast: {origin: list<string>}`"),
    ],
)
def test_hints_name_the_next_thing_to_do(bench, kind, written, hint):
    assert bench.hints(kind, written) == [hint]


def test_a_dataset_that_is_not_there_is_not_called_input(bench):
    assert bench.hints("union", "inputt") != ["did you mean `input`?"]


def test_types_that_clash_in_a_union_are_named(bench):
    bench.inputs["input"] = bench.inputs["airports"]
    bench.inputs["other"] = bench.apply("cast", {"lat": "string"})
    assert bench.problems("union", ["other"]) == [
        (("with", 0), None, "`lat` is of type string in `other`, and of type float64 before")
    ]
