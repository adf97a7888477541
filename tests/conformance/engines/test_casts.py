"""Every cast of every odd value gives the same on every engine; and whatever text comes, no cast that may fail ends a statement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.conformance.engines.adapters import Adapter, evaluate
from tests.conformance.engines.edges import EDGES, KINDS
from tests.conformance.expressions.test_laws import iso, near_moments, near_numbers, ordinary

from headrace.business.model.schema import Schema
from headrace.business.model.types import String, parse_type
from headrace.business.processing.expressions.casting import cast_problem
from headrace.business.processing.expressions.ir import Cast, CastFormat, ColumnRef, Expr

SOURCES = [written for written in EDGES if str(KINDS[written]) == written or written.startswith("enum")]
TARGETS = [
    *SOURCES,
    "uint16",
    "uint128",
    "decimal(1, 0)",
    "decimal(18, 4)",
    "list<boolean>",
    "list<decimal(5, 2)>",
    "list<json>",
    "list<date>",
]
FORMATS = {
    "decimal(9, 2)": CastFormat(decimal_mark=",", thousands_mark="."), "int32": CastFormat(thousands_mark=","), "float64": CastFormat(decimal_mark=","),
    "boolean": CastFormat(true_words=("Ja", "é"), false_words=("nein",)), "date": CastFormat(pattern="%d.%m.%Y"), "timestamp": CastFormat(pattern="%Y-%m-%d %H:%M:%S"),
    "timestamptz": CastFormat(pattern="%Y-%m-%dT%H:%M:%S%z"), "time": CastFormat(pattern="%I:%M %p"),
}  # fmt: skip


def casts(source: str) -> list[Expr]:
    value = ColumnRef(KINDS[source], "a")
    targets = [
        target for target in map(parse_type, TARGETS) if target != value.type and cast_problem(value.type, target) is None
    ]
    return [Cast(target, value, lenient=True) for target in targets]


def compare(
    engines: Mapping[str, Adapter], expressions: Sequence[Expr], schema: Schema, rows: Sequence[Mapping[str, Any]]
) -> list[str]:
    able = [e for e in expressions if not any(engine.problems(e) for engine in engines.values())]
    if not able:
        return []
    first, *others = (evaluate(engine, able, schema, rows) for engine in engines.values())
    return [
        f"{row['a']!r} as {e.type} : {one} and {two}"
        for other in others
        for row, ones, twos in zip(rows, first, other, strict=True)
        for e, one, two in zip(able, ones, twos, strict=True)
        if one != two
    ]


@pytest.mark.parametrize("source", SOURCES)
def test_the_same_everywhere(engines: Mapping[str, Adapter], source: str) -> None:
    rows = [{"a": value} for value in [None, *EDGES[source]]]
    assert compare(engines, casts(source), Schema.of(a=KINDS[source]), rows) == []


@settings(max_examples=6, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(texts=st.lists(st.one_of(near_numbers, near_moments, iso, ordinary), min_size=30, max_size=60))
def test_any_text_is_read_alike(engines: Mapping[str, Adapter], texts: list[str]) -> None:
    cell = ColumnRef(String(), "a")
    written = [Cast(parse_type(kind), cell, True, how) for kind, how in FORMATS.items()]
    assert compare(engines, [*casts("string"), *written], Schema.of(a=String()), [{"a": text} for text in texts]) == []
