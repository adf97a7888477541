"""Prints typed expressions as Spark's SQL. The session has to be made ready by `cluster` before it is run."""

from __future__ import annotations

from collections.abc import Callable

from headrace.business.processing.relation import Relation
from headrace.infrastructure.engines.spark.dialect import DIALECT
from headrace.infrastructure.engines.sql import expressions as sql


class ExpressionPrinter(sql.ExpressionPrinter):
    """Prints expressions; `print_relation` gives the text of a query inside of one."""

    def __init__(self, print_relation: Callable[[Relation], str] | None = None) -> None:
        super().__init__(DIALECT, print_relation)
