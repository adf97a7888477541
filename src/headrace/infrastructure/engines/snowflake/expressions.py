"""Prints typed expressions as Snowflake's SQL. The session has to be set as `Account.connect` sets it."""

from __future__ import annotations

from collections.abc import Callable

from headrace.business.processing.relation import Relation
from headrace.infrastructure.engines.snowflake.dialect import DIALECT
from headrace.infrastructure.engines.snowflake.problems import plan_problems as plan_problems
from headrace.infrastructure.engines.snowflake.problems import relation_problems as relation_problems
from headrace.infrastructure.engines.sql import expressions as sql


class ExpressionPrinter(sql.ExpressionPrinter):
    """Prints expressions; `print_relation` gives the text of a query inside of one."""

    def __init__(self, print_relation: Callable[[Relation], str] | None = None) -> None:
        super().__init__(DIALECT, print_relation)
