"""Every aggregate and every window function over odd values gives on Spark what it gives on DuckDB, or is refused."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from tests.conformance.engines.adapters import DuckDB, shown
from tests.conformance.engines.edges import KINDS
from tests.conformance.engines.spark.adapter import Spark, plain, readable, rows_of
from tests.conformance.engines.test_aggregates import AGGREGATES, TYPES, WINDOWS, bound, calls, columns, groups, same

from headrace.business.model.schema import Schema
from headrace.business.model.types import Integer
from headrace.business.processing.expressions.function import Function
from headrace.business.processing.expressions.ir import Expr
from headrace.infrastructure.engines.spark.types import type_problem

FRAME = " over (partition by k order by a, i rows between 1 preceding and current row)"
ABLE = [kind for kind in TYPES if type_problem(KINDS[kind]) is None]
Found = tuple[str, Function, Expr]


def able(spark: Spark, functions: Sequence[Function], kind: str, frame: str = "", **allowed: bool) -> Iterator[Found]:
    for function in functions:
        for text in calls(function):
            if frame and function.name in ("sum", "avg") and kind.startswith("decimal(38"):
                continue  # 39 digits, which DuckDB shows where its type has none
            expression = bound(text + frame, kind, **allowed)
            if expression is not None and not spark.problems(expression):
                yield text, function, expression


def given(values: Sequence[Any], group: int) -> list[dict[str, Any]]:
    return [{"a": value, "k": i % 3 - 1, "i": i, "g": group} for i, value in enumerate(values)]


def schema(kind: str) -> Schema:
    return Schema.of(a=KINDS[kind], k=Integer(32), i=Integer(32), g=Integer(32))


def items(spark: Spark, found: Sequence[Found]) -> str:
    return ", ".join(readable(spark.expression(e), e.type) for _, _, e in found)


@pytest.mark.parametrize("kind", ABLE)
def test_aggregates_are_the_same(spark: Spark, duckdb: DuckDB, kind: str) -> None:
    found = list(able(spark, AGGREGATES, kind, aggregates=True))
    expressions = [e for _, _, e in found]
    meant = [columns(duckdb, expressions, kind, values, "") for values in groups(kind)]
    # What is an error for some group is asked for by itself: it would end the statement of all.
    quiet = [n for n in range(len(found)) if all(column[n] != ["error"] for column in meant)]
    rows = [row for g, values in enumerate(groups(kind)) for row in given(values, g)]
    asked = items(spark, [found[n] for n in quiet])
    of_groups = spark.fetch(f"SELECT {asked}, `g` FROM ({rows_of(schema(kind), rows)}) GROUP BY `g` ORDER BY `g`")
    of_none = spark.fetch(f"SELECT {asked} FROM ({rows_of(schema(kind), [])})")
    unlike = []
    for g, row in zip(range(len(meant)), [of_none[0], *of_groups], strict=True):
        for n, value in zip(quiet, row, strict=False):
            text, function, e = found[n]
            given_value = shown(plain(value, e.type), e.type)
            if not same(function, e, meant[g][n], [given_value]):
                unlike.append(f"{text} of {kind} {groups(kind)[g]}: {meant[g][n]}, and on spark {given_value}")
    assert unlike == []


@pytest.mark.parametrize("kind", ABLE)
def test_windows_are_the_same(spark: Spark, duckdb: DuckDB, kind: str) -> None:
    found = list(able(spark, [*WINDOWS, *AGGREGATES], kind, FRAME, windows=True))
    values = groups(kind)[-1]
    meant = columns(duckdb, [e for _, _, e in found], kind, values, ' ORDER BY "#"')
    quiet = [n for n in range(len(found)) if meant[n] != ["error"]]
    asked = items(spark, [found[n] for n in quiet])
    rows = spark.fetch(f"SELECT {asked}, `i` FROM ({rows_of(schema(kind), given(values, 0))}) ORDER BY `i`")
    unlike = []
    for place, n in enumerate(quiet):
        text, function, e = found[n]
        column = [shown(plain(row[place], e.type), e.type) for row in rows]
        if not same(function, e, meant[n], column):
            unlike.append(f"{text} of {kind}: {meant[n]}, and on spark {column}")
    assert unlike == []
