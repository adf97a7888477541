"""Every aggregate and every window function over odd values gives the same on every engine."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest
from tests.conformance.engines.adapters import Adapter, readable, shown, values_of
from tests.conformance.engines.edges import CONSTANTS, EDGES, GROUPS, KINDS

from headrace.business.model.schema import Schema
from headrace.business.model.types import Float, Integer
from headrace.business.processing.expressions import catalog
from headrace.business.processing.expressions.function import Function
from headrace.business.processing.expressions.ir import Expr
from headrace.business.processing.expressions.parse import ExpressionError, parse_expression
from headrace.business.processing.expressions.signatures import parameters

AGGREGATES = [function for function in catalog.FUNCTIONS if function.kind == "aggregate"]
WINDOWS = [function for function in catalog.FUNCTIONS if function.kind == "window"]
#: Of floats, the last bits of these depend on the order of the rows, or on the way to them.
NEARLY = {"sum", "avg", "median", "quantile", "stddev", "stddev_pop", "variance", "var_pop", "corr"}
#: What DuckDB alone can compute; a plan for another engine says so.
OF_DUCKDB = {"approx_top_k"}
TYPES = [*GROUPS["ordered"], "list<string>", "json"]


def calls(function: Function) -> Iterator[str]:
    taken, _ = parameters(function.signature)
    options = [
        CONSTANTS.get(f"{function.name}.{p.name}", CONSTANTS.get(p.name, ["1"])) if p.constant else ["a" if i == 0 else "k"]
        for i, p in enumerate(taken)
        if not p.repeated
    ]
    if function.name == "count_if":
        options = [["a is not null"]]
    texts = [""]
    for values in options:
        texts = [f"{text}, {value}".removeprefix(", ") for text in texts for value in values]
    order = " order by a, i" if function.order == "required" else ""
    for text in texts:
        yield f"{function.name}({text}{order})"
        yield f"{function.name}({text}{order}) filter (where k > 0)"
        if (
            function.kind == "aggregate"
            and not order
            and function.name not in ("count_if", "approx_count_distinct", "arg_min", "arg_max")
        ):
            yield f"{function.name}(distinct {text})"
    if not options or function.name in ("count", "lag", "lead"):
        yield f"{function.name}({'*' if function.name == 'count' else 'a' if options else ''})"


def bound(text: str, kind: str, **allowed: bool) -> Expr | None:
    try:
        return parse_expression(text, Schema.of(a=KINDS[kind], k=Integer(32), i=Integer(32)), **allowed)
    except ExpressionError:
        return None


def groups(kind: str) -> list[list[Any]]:
    """Values with their nulls and repeats, as single groups: none, one, nulls alone, plain ones, and all there are."""
    edges = EDGES[kind]
    return [[], [None], edges[:1], [None, edges[0], edges[0], None, *edges[1:3]], [None, *edges, *edges[:2]]]


def columns(engine: Adapter, expressions: Sequence[Expr], kind: str, values: Sequence[Any], order: str) -> list[list[str]]:
    """What each expression gives over the rows, all in one statement; `error` for one that ends it."""
    schema = Schema.of(a=KINDS[kind], k=Integer(32), i=Integer(32))
    rows = [{"a": value, "k": i % 3 - 1, "i": i} for i, value in enumerate(values)] or [{"a": None, "k": None, "i": 0}]
    items = ", ".join(f"{readable(engine.expression(e), e.type, engine)} AS c{i}" for i, e in enumerate(expressions))
    only = "" if values else " WHERE false"
    try:
        found = engine.fetch(f"SELECT {items} FROM {values_of(schema, rows, engine)}{only}{order}")
    except engine.error:
        if len(expressions) == 1:
            return [["error"]]
        return [column for e in expressions for column in columns(engine, [e], kind, values, order)]
    return [[shown(row[n], e.type) for row in found] for n, e in enumerate(expressions)]


def alike(function: Function, expression: Expr, one: str, other: str) -> bool:
    """Equal, but for what the page on semantics says that engines may give as they like."""
    if one == other or {one, other} == {"0.0", "-0.0"}:
        return True
    if "error" in (one, other):  # a sum that is too large on the way
        return function.name in NEARLY and expression.type in (Float(64), Integer(128))
    if {one, other} & {"nan", "inf", "-inf"}:  # what has no size, engines reckon with in their own ways
        return function.name in NEARLY
    if function.name == "approx_count_distinct":
        return abs(int(one) - int(other)) <= 2 + int(other) // 4
    slack = 1e-9 if function.name in NEARLY else 0
    try:
        return bool(slack) and math.isclose(float(one), float(other), rel_tol=slack, abs_tol=slack)
    except ValueError:
        return False


@pytest.mark.parametrize("function", AGGREGATES, ids=lambda function: function.name)
def test_aggregates_are_the_same_everywhere(engines: Mapping[str, Adapter], function: Function) -> None:
    compare(engines, function, groups, aggregates=True)


@pytest.mark.parametrize("function", [*WINDOWS, *AGGREGATES], ids=lambda function: function.name)
def test_windows_are_the_same_everywhere(engines: Mapping[str, Adapter], function: Function) -> None:
    compare(engines, function, lambda kind: groups(kind)[3:], windows=True)


def compare(engines: Mapping[str, Adapter], function: Function, values: Any, **allowed: bool) -> None:
    unlike, tried = [], 0
    windowed = "windows" in allowed
    frame = " over (partition by k order by a, i rows between 1 preceding and current row)" if windowed else ""
    for kind in TYPES:
        found = {text: bound(text + frame, kind, **allowed) for text in calls(function)}
        able = {t: e for t, e in found.items() if e is not None and not any(engine.problems(e) for engine in engines.values())}
        tried += len(able)
        for given in values(kind) if able else ():
            order = {name: f" ORDER BY {engine.identifier('#')}" if windowed else "" for name, engine in engines.items()}
            first, *others = (
                columns(engine, list(able.values()), kind, given, order[name]) for name, engine in engines.items()
            )
            for other in others:
                for (text, expression), one, two in zip(able.items(), first, other, strict=True):
                    if not same(function, expression, one, two):
                        unlike.append(f"{text}{frame} of {kind} {given}: {one} and {two}")
    assert unlike == []
    assert tried or windowed or function.name in OF_DUCKDB


def same(function: Function, expression: Expr, one: Sequence[str], other: Sequence[str]) -> bool:
    if "error" in (*one, *other):
        return alike(function, expression, "".join(one[:1]), "".join(other[:1]))
    return len(one) == len(other) and all(alike(function, expression, a, b) for a, b in zip(one, other, strict=True))
