"""Every function of the catalogue with every odd value gives the same on every engine: the same value, null, or an error."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from tests.conformance.engines.adapters import Adapter, evaluate
from tests.conformance.engines.cases import bound, calls, rows

from headrace.business.model.schema import Schema
from headrace.business.processing.expressions import catalog
from headrace.business.processing.expressions.function import Function
from headrace.business.processing.expressions.ir import Expr

SCALARS = [function for function in catalog.FUNCTIONS if function.kind in ("scalar", "operator")]
#: What libraries of mathematics give to the last bits only.
NEARLY = {"exp", "ln", "log10", "log2", "power", "sin", "cos", "atan2", "asin", "acos", "radians"}


def outcome(engine: Adapter, expression: Expr, schema: Schema, given: Sequence[Mapping[str, Any]]) -> list[str]:
    """What it gives in each row; `error` where it ends the statement."""
    try:
        return [value for (value,) in evaluate(engine, [expression], schema, given)]
    except engine.error:
        if len(given) == 1:
            return ["error"]
        middle = len(given) // 2
        return outcome(engine, expression, schema, given[:middle]) + outcome(engine, expression, schema, given[middle:])


def alike(function: Function, one: str, other: str) -> bool:
    """Equal, but for what the page on semantics says that engines may give as they like."""
    if function.name in ("greatest", "least"):  # -0.0 equals 0.0: which of them is taken is not said
        return one == other or {one, other} == {"0.0", "-0.0"}
    if function.name == "modulo" and (one, other) == ("error", "0"):  # of the least integer by -1
        return True
    try:
        return one == other or (
            function.name in NEARLY and math.isclose(float(one), float(other), rel_tol=1e-13, abs_tol=1e-320)
        )
    except ValueError:
        return False


@pytest.mark.parametrize("function", SCALARS, ids=lambda function: function.name)
def test_the_same_everywhere(engines: Mapping[str, Adapter], function: Function) -> None:
    tried, unlike = 0, []
    for text, columns in calls(function):
        if (found := bound(function, text, columns)) is None:
            continue
        expression, schema = found
        able = [engine for engine in engines.values() if not engine.problems(expression)]
        given = rows(columns)
        first, *others = (outcome(engine, expression, schema, given) for engine in able)
        tried += len(others)
        for other in others:
            for row, one, two in zip(given, first, other, strict=True):
                if not alike(function, one, two):
                    unlike.append(f"{text} {columns} of {row}: {one} and {two}")
    assert unlike == []
    assert tried or function.name.startswith("struct")
