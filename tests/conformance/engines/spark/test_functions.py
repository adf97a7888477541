"""Every function of the catalogue with every odd value gives on Spark what it gives on DuckDB, or is refused."""

from __future__ import annotations

import math
from collections import defaultdict
from decimal import Decimal as Exact
from functools import partial

import pytest
from tests.conformance.engines.adapters import DuckDB
from tests.conformance.engines.cases import bound, calls, rows
from tests.conformance.engines.spark.adapter import Spark, rows_of
from tests.conformance.engines.spark.comparing import Alike, differences
from tests.conformance.engines.test_functions import SCALARS, alike

from headrace.business.model.schema import Schema
from headrace.business.model.types import Decimal, Integer
from headrace.business.processing.expressions.function import Function
from headrace.business.processing.expressions.ir import Expr
from headrace.business.processing.expressions.parse import parse_expression

PI = str(math.pi)
Case = tuple[str, Expr, Alike]
FAMILIES = list(dict.fromkeys(function.family for function in SCALARS))


def cases(spark: Spark, family: str) -> dict[tuple[tuple[str, str], ...], list[Case]]:
    """The calls of functions by the columns that they are over."""
    found: dict[tuple[tuple[str, str], ...], list[Case]] = defaultdict(list)
    for function in (function for function in SCALARS if function.family == family):
        for text, columns in calls(function):
            made = bound(function, text, columns)
            if made is not None and not spark.problems(made[0]):
                found[tuple(columns.items())].append((text, made[0], partial(same, function)))
    return found


def same(function: Function, one: str, other: str) -> bool:
    """As on the other engines; and Spark does not ask of a zero which one it is."""
    if function.name == "list_distinct":
        return one.replace("-0.0", "0.0") == other.replace("-0.0", "0.0")
    if function.name == "atan2" and {one.lstrip("-"), other.lstrip("-")} <= {"0.0", PI}:
        return True
    if function.name in ("lpad", "rpad") and (one, other) == ("error", "null"):  # a length beyond 32 bits, of no text
        return True
    return alike(function, one, other)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_same_as_on_duckdb(spark: Spark, duckdb: DuckDB, family: str) -> None:
    unlike: list[str] = []
    for columns, found in cases(spark, family).items():
        kinds = dict(columns)
        schema: Schema = bound_schema(kinds)
        unlike += differences(
            spark, duckdb, {text: e for text, e, _ in found}, schema, rows(kinds), {text: same for text, _, same in found}
        )
    assert unlike == []


def test_decimals_of_any_digits_are_compared(spark: Spark, duckdb: DuckDB) -> None:
    """No decimal of 38 digits holds both; DuckDB is asked of pairs that it can compare."""
    wide, exact = Decimal(38, 10), Decimal(38, 0)
    schema = Schema.of(a=wide, b=exact, c=Integer(64))
    rows = [
        {"a": Exact(a), "b": Exact(b), "c": c}
        for a, b, c in [("2.5", "2", 3), ("-2.5", "-3", -2), ("3", "3", 3), ("-0.0000000001", "0", 0), ("7", "8", -9)]
    ]
    texts = [f"{x} {sign} {y}" for x, y in ("ab", "ba", "ac") for sign in ("=", "<>", "<", "<=", ">", ">=", "is distinct from")]
    found = {
        text: parse_expression(text, schema)
        for text in (*texts, "a between b and c", "a in (b, c)", "null::decimal(38, 10) < b")
    }
    assert not any(map(spark.problems, found.values()))
    assert differences(spark, duckdb, found, schema, rows, defaultdict(lambda: lambda one, other: False)) == []
    (largest,) = spark.fetch(
        f"SELECT {spark.expression(found['a < b'])} FROM ({rows_of(schema, [{**rows[0], 'b': Exact('9' * 38)}])})"
    )
    assert largest == (True,)


def bound_schema(kinds: dict[str, str]) -> Schema:
    from tests.conformance.engines.edges import KINDS

    return Schema.of(**{name: KINDS[kind] for name, kind in kinds.items()})
