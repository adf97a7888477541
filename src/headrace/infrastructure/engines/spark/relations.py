"""Prints steps as one statement of Spark's SQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from headrace.business.processing.relation import Dedupe, Relation
from headrace.infrastructure.engines.spark.dialect import DIALECT
from headrace.infrastructure.engines.sql import statement


def with_clause(
    steps: Sequence[tuple[str, Relation]], final: str, tables: Mapping[str, str], repeated: Mapping[Dedupe, str] | None = None
) -> str:
    """The statement that gives the rows of the step `final`. Steps that are in `tables` are read from there."""
    return statement.with_clause(DIALECT, steps, final, tables, repeated)
