"""The scalar functions of the catalogue in PostgreSQL's SQL: an explicit entry for each, so that its documented meaning holds."""

from __future__ import annotations

from collections.abc import Sequence

from headrace.business.processing.expressions.ir import Call
from headrace.infrastructure.engines.postgres.calling import compared, listed
from headrace.infrastructure.engines.postgres.collation import by_code_point
from headrace.infrastructure.engines.postgres.lists import LISTS
from headrace.infrastructure.engines.postgres.numbers import NUMBERS
from headrace.infrastructure.engines.postgres.texts import TEXTS
from headrace.infrastructure.engines.postgres.times import TIMES
from headrace.infrastructure.engines.postgres.windows import WINDOWS
from headrace.infrastructure.engines.sql.dialect import Lowering


def _joined(word: str) -> Lowering:
    return lambda _, args: "(" + f" {word} ".join(args) + ")"


def _in(e: Call, args: Sequence[str]) -> str:
    return f"({by_code_point(args[0], e.args[0].type)} IN ({', '.join(args[1:])}))"


def _extreme(name: str) -> Lowering:
    return lambda e, args: f"{name}({', '.join([by_code_point(args[0], e.args[0].type), *args[1:]])})"


LOGIC: dict[str, Lowering] = {
    "and": _joined("AND"), "or": _joined("OR"), "not": "(NOT {0})",
    "equal": compared("({0} = {1})"), "not_equal": compared("({0} <> {1})"), "less": compared("({0} < {1})"),
    "less_or_equal": compared("({0} <= {1})"), "greater": compared("({0} > {1})"), "greater_or_equal": compared("({0} >= {1})"),
    "between": compared("({0} BETWEEN {1} AND {2})"), "in": _in,
    "is_null": "({0} IS NULL)", "is_true": "({0} IS TRUE)", "is_false": "({0} IS FALSE)",
    "distinct": compared("({0} IS DISTINCT FROM {1})"), "not_distinct": compared("({0} IS NOT DISTINCT FROM {1})"),
    "if": "CASE WHEN {0} THEN {1} ELSE {2} END", "coalesce": listed("coalesce({})"), "nullif": compared("nullif({0}, {1})"),
    "greatest": _extreme("greatest"), "least": _extreme("least"),
}  # fmt: skip

TABLE: dict[str, Lowering] = {**LOGIC, **NUMBERS, **TEXTS, **TIMES, **LISTS, **WINDOWS}
