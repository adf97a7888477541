"""Every way in which a schema can change is told apart from the others."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.business.model.schema import Column, Schema
from headrace.business.model.types import Float, Integer, String, parse_type
from headrace.business.validation.drift import IMPACT, KINDS, Change, classify, holds


def schema(**types):
    return Schema(tuple(Column(name, parse_type(t.removesuffix("!")), not t.endswith("!")) for name, t in types.items()))


def kinds(before, after):
    return [(c.kind, c.column) for c in classify(before, after)]


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        (schema(a="int32"), schema(a="int32"), []),
        (schema(a="int32"), schema(a="int32", b="string"), [("added", "b")]),
        (schema(a="int32", b="string"), schema(a="int32"), [("removed", "b")]),
        (schema(a="int32", b="string"), schema(a="int32", c="string"), [("renamed", "c")]),
        (schema(a="int32", b="string"), schema(a="int32", c="date"), [("added", "c"), ("removed", "b")]),
        (schema(a="int32", b="string"), schema(b="string", a="int32"), [("reordered", "a")]),
        (schema(a="int32"), schema(a="int64"), [("widened", "a")]),
        (schema(a="int64"), schema(a="int32"), [("narrowed", "a")]),
        (schema(a="int64"), schema(a="string"), [("changed", "a")]),
        (schema(a="int64"), schema(a="float64"), [("changed", "a")]),
        (schema(a="int32"), schema(a="float64"), [("widened", "a")]),
        (schema(a="int32"), schema(a="uint32"), [("changed", "a")]),
        (schema(a="decimal(10, 2)"), schema(a="decimal(12, 4)"), [("widened", "a")]),
        (schema(a="decimal(10, 2)"), schema(a="decimal(10, 4)"), [("changed", "a")]),
        (schema(a="int8"), schema(a="decimal(3, 0)"), [("widened", "a")]),
        (schema(a="date"), schema(a="timestamp"), [("widened", "a")]),
        (schema(a="timestamp"), schema(a="timestamptz"), [("changed", "a")]),
        (schema(a="enum(x, y)"), schema(a="enum(x, y, z)"), [("widened", "a")]),
        (schema(a="enum(x, y)"), schema(a="string"), [("widened", "a")]),
        (schema(a="int32!"), schema(a="int32"), [("nullable", "a")]),
        (schema(a="int32"), schema(a="int32!"), [("not_null", "a")]),
        (schema(a="int32!"), schema(a="int64"), [("widened", "a"), ("nullable", "a")]),
        (schema(a="list<int32>"), schema(a="list<int64>"), [("widened", "a[]")]),
        (
            schema(a="struct<x: int32, y: string>"),
            schema(a="struct<x: int64, z: date>"),
            [("widened", "a.x"), ("added", "a.z"), ("removed", "a.y")],
        ),
        (schema(a="struct<x: int32, y: string>"), schema(a="struct<x: int32, z: string>"), [("renamed", "a.z")]),
        # renamed needs the same place: between the columns that stayed
        (
            schema(a="string", b="int32", c="int32"),
            schema(b="int32", c="int32", d="string"),
            [("added", "d"), ("removed", "a")],
        ),
        (schema(A="int32"), schema(a="int32"), [("renamed", "a")]),
    ],
)
def test_each_change_has_its_kind(before, after, found):
    assert kinds(before, after) == found


def test_only_what_moved_is_called_reordered():
    before = schema(a="int8", b="int8", c="int8", d="int8")
    after = schema(d="int8", a="int8", b="int8", c="int8")
    assert classify(before, after) == [Change("reordered", "d", "4", "1")]


def test_a_rename_tells_both_names_even_inside_a_struct():
    (change,) = classify(schema(a="struct<x: int32>"), schema(a="struct<y: int32>"))
    assert str(change) == "`a.x` was renamed to `a.y`"
    assert change.impact == "breaking"


def test_every_kind_has_an_impact_and_words():
    assert set(IMPACT) == set(KINDS)
    assert all("`c`" in str(Change(kind, "c", "c", "d")) for kind in KINDS)


names = st.lists(st.sampled_from("abcdef"), unique=True, min_size=1)
schemas = names.flatmap(
    lambda ns: st.tuples(
        *(st.tuples(st.sampled_from([Integer(32), Integer(64), String(), Float(64)]), st.booleans()) for _ in ns)
    ).map(lambda ts: Schema(tuple(Column(n, t, null) for n, (t, null) in zip(ns, ts, strict=True))))
)


@given(schemas)
def test_a_schema_does_not_differ_from_itself(one):
    assert classify(one, one) == []


@given(schemas, schemas)
def test_different_schemas_always_differ_and_additions_mirror_removals(one, other):
    there, back = classify(one, other), classify(other, one)
    assert bool(there) == (one != other)
    assert {c.column for c in there if c.kind == "added"} == {c.column for c in back if c.kind == "removed"}
    assert {c.column for c in there if c.kind == "widened"} == {c.column for c in back if c.kind == "narrowed"}


@given(st.sampled_from(["int8", "int64", "uint32", "float32", "float64", "decimal(5, 2)", "date", "string"]))
def test_a_type_holds_itself(name):
    kind = parse_type(name)
    assert holds(kind, kind) or name in ("date", "string")
