"""The scalar functions of the catalogue in Spark's SQL: an explicit entry for each, so that its documented meaning holds."""

from __future__ import annotations

from collections.abc import Sequence

from headrace.business.model.types import Decimal
from headrace.business.processing.expressions.ir import Call
from headrace.infrastructure.engines.spark.calling import listed
from headrace.infrastructure.engines.spark.lists import LISTS
from headrace.infrastructure.engines.spark.numbers import NUMBERS
from headrace.infrastructure.engines.spark.texts import TEXTS
from headrace.infrastructure.engines.spark.times import TIMES
from headrace.infrastructure.engines.spark.types import too_many_digits
from headrace.infrastructure.engines.spark.windows import WINDOWS
from headrace.infrastructure.engines.sql.dialect import Lowering


def _joined(word: str) -> Lowering:
    return lambda _, args: "(" + f" {word} ".join(args) + ")"


def _extreme(name: str) -> Lowering:
    """Spark takes two at least."""
    return lambda _, args: f"{name}({', '.join(args)})" if len(args) > 1 else args[0]


def _compared(template: str) -> Lowering:
    return lambda e, args: template.format(*_comparable(e, args))


def _in(e: Call, args: Sequence[str]) -> str:
    first, *others = _comparable(e, args)
    return f"({first} IN ({', '.join(others)}))"


def _comparable(e: Call, args: Sequence[str]) -> Sequence[str]:
    """Numbers that no decimal of Spark holds together are compared by what stands before the point, then by what stands behind it."""
    kinds = [arg.type for arg in e.args]
    if not too_many_digits(kinds):
        return args
    scale = max(kind.scale for kind in kinds if isinstance(kind, Decimal))
    return [_in_parts(sql, scale) for sql in args]


def _in_parts(x: str, scale: int) -> str:
    whole, rest = f"CAST(floor({x}) AS DECIMAL(38, 0))", f"CAST({x} - floor({x}) AS DECIMAL(38, {scale}))"
    return f"CASE WHEN {x} IS NOT NULL THEN named_struct('whole', {whole}, 'rest', {rest}) END"


LOGIC: dict[str, Lowering] = {
    "and": _joined("AND"), "or": _joined("OR"), "not": "(NOT {0})",
    "equal": _compared("({0} = {1})"), "not_equal": _compared("({0} <> {1})"), "less": _compared("({0} < {1})"),
    "less_or_equal": _compared("({0} <= {1})"), "greater": _compared("({0} > {1})"), "greater_or_equal": _compared("({0} >= {1})"),
    "between": _compared("({0} BETWEEN {1} AND {2})"), "in": _in,
    "is_null": "({0} IS NULL)", "is_true": "({0} IS TRUE)", "is_false": "({0} IS FALSE)",
    "distinct": _compared("(NOT ({0} <=> {1}))"), "not_distinct": _compared("({0} <=> {1})"),
    "if": "CASE WHEN {0} THEN {1} ELSE {2} END", "coalesce": listed("coalesce({})"), "nullif": "nullif({0}, {1})",
    "greatest": _extreme("greatest"), "least": _extreme("least"),
}  # fmt: skip

TABLE: dict[str, Lowering] = {**LOGIC, **NUMBERS, **TEXTS, **TIMES, **LISTS, **WINDOWS}

#: Why there is no entry for some of the catalogue.
MISSING = {
    "strip_accents": "Spark does not take letters apart into base and mark",
    "time": "Spark has no time of day without a day",
    **dict.fromkeys(
        ("json_text", "json_value", "json_kind", "json_length"),
        "Spark writes numbers in JSON anew (`2.50` as `2.5`); take JSON apart on the engine duckdb",
    ),
}
