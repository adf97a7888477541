"""Prints relations as Snowflake's SQL: a single one, and steps as one statement."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from headrace.business.processing.expressions.ir import SortKey
from headrace.business.processing.relation import Dedupe, Relation
from headrace.infrastructure.engines.snowflake.dialect import DIALECT
from headrace.infrastructure.engines.sql import relations, statement


class RelationPrinter(relations.RelationPrinter):
    """Prints relations whose datasets are read from `tables`."""

    def __init__(
        self,
        tables: Mapping[str, str],
        repeated: Mapping[Dedupe, str] | None = None,
        orders: Mapping[str, Sequence[SortKey]] | None = None,
        light: Collection[str] = (),
    ) -> None:
        super().__init__(DIALECT, tables, repeated, orders, light)


def with_clause(
    steps: Sequence[tuple[str, Relation]], final: str, tables: Mapping[str, str], repeated: Mapping[Dedupe, str] | None = None
) -> str:
    """The statement that gives the rows of the step `final`. Steps that are in `tables` are read from there."""
    return statement.with_clause(DIALECT, steps, final, tables, repeated)
