"""Prints typed expressions as DuckDB's SQL. The session's time zone has to be UTC, in which instants are read."""

from __future__ import annotations

from collections.abc import Callable

from headrace.business.processing.expressions.ir import Expr
from headrace.business.processing.relation import Relation
from headrace.infrastructure.engines.duckdb.dialect import DIALECT
from headrace.infrastructure.engines.sql import expressions as sql


def plan_problems(e: Expr) -> list[str]:
    """The functions in an expression that cannot be carried out here."""
    return sql.missing_functions(e, DIALECT)


class ExpressionPrinter(sql.ExpressionPrinter):
    """Prints expressions; `print_relation` gives the text of a query inside of one."""

    def __init__(self, print_relation: Callable[[Relation], str] | None = None) -> None:
        super().__init__(DIALECT, print_relation)
