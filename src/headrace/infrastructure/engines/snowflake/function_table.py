"""The scalar functions of the catalogue in Snowflake's SQL: an explicit entry for each that keeps its documented meaning there."""

from __future__ import annotations

from collections.abc import Sequence

from headrace.business.processing.expressions.ir import Call
from headrace.infrastructure.engines.snowflake.calling import as_result
from headrace.infrastructure.engines.snowflake.numbers import NUMBERS
from headrace.infrastructure.engines.snowflake.texts import TEXTS
from headrace.infrastructure.engines.snowflake.times import TIMES
from headrace.infrastructure.engines.sql.dialect import Lowering


def _joined(word: str) -> Lowering:
    return lambda _, args: "(" + f" {word} ".join(args) + ")"


def _several(name: str) -> Lowering:
    """A function that Snowflake has for two values and more."""
    return lambda _, args: f"{name}({', '.join(args)})" if len(args) > 1 else args[0]


def _look(name: str) -> Lowering:
    def lower(e: Call, args: Sequence[str]) -> str:
        parts = [*args[:2], *(as_result(default, e) for default in args[2:])]
        return f"{name}({', '.join(parts)})"

    return lower


LOGIC: dict[str, Lowering] = {
    "and": _joined("AND"), "or": _joined("OR"), "not": "(NOT {0})",
    "equal": "({0} = {1})", "not_equal": "({0} <> {1})", "less": "({0} < {1})", "less_or_equal": "({0} <= {1})",
    "greater": "({0} > {1})", "greater_or_equal": "({0} >= {1})", "between": "({0} BETWEEN {1} AND {2})",
    "in": lambda _, args: f"({args[0]} IN ({', '.join(args[1:])}))",
    "is_null": "({0} IS NULL)", "is_true": "({0} IS NOT DISTINCT FROM TRUE)", "is_false": "({0} IS NOT DISTINCT FROM FALSE)",
    "distinct": "({0} IS DISTINCT FROM {1})", "not_distinct": "({0} IS NOT DISTINCT FROM {1})",
    "if": "CASE WHEN {0} THEN {1} ELSE {2} END", "coalesce": _several("COALESCE"), "nullif": "NULLIF({0}, {1})",
    "greatest": _several("GREATEST_IGNORE_NULLS"), "least": _several("LEAST_IGNORE_NULLS"),
}  # fmt: skip

#: What a window without a frame means differs there, so what depends on one asks for it (see `problems`).
WINDOWS: dict[str, Lowering] = {
    **{name: f"{name}()" for name in ("row_number", "rank", "dense_rank", "percent_rank", "cume_dist")},
    "ntile": "ntile({0})", "lag": _look("lag"), "lead": _look("lead"),
    "first_value": "first_value({0})", "last_value": "last_value({0})",
}  # fmt: skip

TABLE: dict[str, Lowering] = {**LOGIC, **NUMBERS, **TEXTS, **TIMES, **WINDOWS}
