"""What is tried of every function: expressions made of its signature, over columns of every type that it takes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any

from tests.conformance.engines.edges import CONSTANTS, EDGES, GROUPS, KINDS, PARTS, UNITS

from headrace.business.model.schema import Schema
from headrace.business.processing.expressions.function import Function
from headrace.business.processing.expressions.ir import Expr
from headrace.business.processing.expressions.parse import ExpressionError, parse_expression
from headrace.business.processing.expressions.signatures import Parameter, parameters

MOST_ROWS = 70

#: How operators are written over the columns a, b, c.
WRITTEN = {
    "and": "a and b", "or": "a or b", "not": "not a", "equal": "a = b", "not_equal": "a <> b", "less": "a < b", "less_or_equal": "a <= b", "greater": "a > b",
    "greater_or_equal": "a >= b", "between": "a between b and c", "in": "a in (b, c)", "is_null": "a is null", "is_true": "a is true", "is_false": "a is false",
    "distinct": "a is distinct from b", "not_distinct": "a is not distinct from b", "add": "a + b", "subtract": "a - b", "multiply": "a * b", "divide": "a / b",
    "integer_divide": "a // b", "modulo": "a % b", "negate": "-a", "concatenate": "a || b", "like": "a like b", "ilike": "a ilike b", "list_value": "[a, null, a]",
    "list_item": "a[b]", "struct_value": "{{'x': a}}", "struct_field": "{{'x': a}}.x", "at_time_zone": "a at time zone {1}",
}  # fmt: skip


def calls(function: Function) -> Iterator[tuple[str, Mapping[str, str]]]:
    """The texts of its calls, each with the types of its columns."""
    taken, _ = parameters(function.signature)
    for given in _lengths(taken):
        for kinds in _kinds(given):
            columns = {name: kind for name, kind in zip("abcdef", kinds, strict=False) if not kind.startswith("'")}
            options = [_options(function, p, name, kind) for p, name, kind in zip(given, "abcdef", kinds, strict=False)]
            for args in product(*options):
                yield _text(function, args), columns


def _text(function: Function, args: Sequence[str]) -> str:
    if function.name in WRITTEN:
        escape = f" escape {args[2]}" if len(args) > 2 and function.name.endswith("like") else ""
        return WRITTEN[function.name].format(*args) + escape
    return f"{function.name}({', '.join(args)})"


def _lengths(taken: Sequence[Parameter]) -> Iterator[Sequence[Parameter]]:
    """With and without what may be left out; what repeats, twice."""
    repeated = [*taken, taken[-1]] if taken and taken[-1].repeated else list(taken)
    yield repeated
    if any(p.optional and not p.repeated for p in taken):
        yield [p for p in taken if not p.optional]


def _kinds(given: Sequence[Parameter]) -> Iterator[tuple[str, ...]]:
    """The same group twice is the same type; otherwise each parameter says its own."""
    group = next((p.kind for p in given if p.group), None)
    group = group if group is None or group.startswith("list<") or group in GROUPS else None
    for kind in GROUPS.get(group or "", [""]):
        inner = kind.removeprefix("list<").removesuffix(">") if kind.startswith("list<") else kind
        yield tuple(_kind(p, kind, inner) for p in given)
    if group == "number" and len(given) == 2:
        yield from (("int32", "decimal(5, 2)"), ("int64", "float64"), ("decimal(38, 10)", "int8"), ("uint64", "int32"))


def _kind(parameter: Parameter, kind: str, inner: str) -> str:
    if parameter.constant or parameter.kind in ("unit", "part"):
        return "'"
    if parameter.name in ("year", "month", "day", "hour", "minute", "second"):
        return "second" if parameter.name == "second" else "part"
    if parameter.group is None:
        return parameter.name if parameter.name in ("count", "start") and parameter.kind == "int64" else parameter.kind
    return kind if parameter.is_list else inner if kind.startswith("list<") else kind


def _options(function: Function, parameter: Parameter, name: str, kind: str) -> list[str]:
    if parameter.kind in ("unit", "part"):
        return [f"'{word}'" for word in (UNITS if parameter.kind == "unit" else PARTS)]
    if not kind.startswith("'"):
        return [name]
    return CONSTANTS.get(f"{function.name}.{parameter.name}", CONSTANTS.get(parameter.name, ["1"]))


def bound(function: Function, text: str, columns: Mapping[str, str]) -> tuple[Expr, Schema] | None:
    """None where the types do not go together, which the binder says."""
    if not set(columns.values()) <= KINDS.keys():
        return None
    schema = Schema.of(**{name: KINDS[kind] for name, kind in columns.items()})
    try:
        return parse_expression(text, schema), schema
    except ExpressionError:
        return None


def rows(columns: Mapping[str, str]) -> list[dict[str, Any]]:
    """All values with each other, nulls among them; spread evenly over those where that are too many."""
    choices = [[None, *EDGES[kind]] for kind in columns.values()]
    total = math.prod(map(len, choices))
    places = range(total) if total <= MOST_ROWS else [i * (2 * (total // MOST_ROWS) + 1) % total for i in range(MOST_ROWS)]
    return [dict(zip(columns, _combination(choices, place), strict=True)) for place in places]


def _combination(choices: Sequence[Sequence[Any]], place: int) -> Iterator[Any]:
    for values in choices:
        place, digit = divmod(place, len(values))
        yield values[digit]
