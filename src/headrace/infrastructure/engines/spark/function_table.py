"""The scalar functions of the catalogue in Spark's SQL: an explicit entry for each, so that its documented meaning holds."""

from __future__ import annotations

from collections.abc import Sequence

from headrace.business.processing.expressions.ir import Call
from headrace.infrastructure.engines.spark.calling import listed
from headrace.infrastructure.engines.spark.lists import LISTS
from headrace.infrastructure.engines.spark.numbers import NUMBERS
from headrace.infrastructure.engines.spark.texts import TEXTS
from headrace.infrastructure.engines.spark.times import TIMES
from headrace.infrastructure.engines.spark.windows import WINDOWS
from headrace.infrastructure.engines.sql.dialect import Lowering


def _joined(word: str) -> Lowering:
    return lambda _, args: "(" + f" {word} ".join(args) + ")"


def _extreme(name: str) -> Lowering:
    """Spark takes two at least."""
    return lambda _, args: f"{name}({', '.join(args)})" if len(args) > 1 else args[0]


def _in(_: Call, args: Sequence[str]) -> str:
    return f"({args[0]} IN ({', '.join(args[1:])}))"


LOGIC: dict[str, Lowering] = {
    "and": _joined("AND"), "or": _joined("OR"), "not": "(NOT {0})",
    "equal": "({0} = {1})", "not_equal": "({0} <> {1})", "less": "({0} < {1})", "less_or_equal": "({0} <= {1})",
    "greater": "({0} > {1})", "greater_or_equal": "({0} >= {1})", "between": "({0} BETWEEN {1} AND {2})", "in": _in,
    "is_null": "({0} IS NULL)", "is_true": "({0} IS TRUE)", "is_false": "({0} IS FALSE)",
    "distinct": "(NOT ({0} <=> {1}))", "not_distinct": "({0} <=> {1})",
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
