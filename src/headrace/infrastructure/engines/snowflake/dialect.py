"""Snowflake's SQL as a dialect: what the printers are given. What it says of values, types and functions stands in the rooms beside.

Text is compared by its bytes in UTF-8 there, which is by code point, unless a column is given a collation; the engine gives none.
"""

from __future__ import annotations

from typing import Literal

from headrace.business.model.types import DataType, Null
from headrace.business.processing.relation import Unpivot
from headrace.infrastructure.engines.snowflake.aggregate_table import AGGREGATES, aggregate_sql
from headrace.infrastructure.engines.snowflake.casts import cast_sql
from headrace.infrastructure.engines.snowflake.function_table import TABLE
from headrace.infrastructure.engines.snowflake.literals import identifier, literal, text
from headrace.infrastructure.engines.snowflake.types import snowflake_type
from headrace.infrastructure.engines.sql.dialect import DedupeParts, Dialect
from headrace.infrastructure.engines.sql.layout import Clauses, indented, listed, nested


def _as_it_is(sql: str, _: DataType) -> str:
    return sql


def _column(sql: str, kind: DataType) -> str:
    return f"CAST({sql} AS {snowflake_type(kind)})" if isinstance(kind, Null) else sql


def _half_join(left: str, right: str, condition: str, how: Literal["semi", "anti"]) -> str:
    partner = Clauses(right, ("1",), where=[condition]).text()
    return Clauses(left, where=[f"{'NOT ' if how == 'anti' else ''}EXISTS {nested(partner)}"]).text()


def _unpivot(source: str, unpivot: Unpivot) -> str:
    """Each row once for every column, with that column's value."""
    taken = {c.name for c in unpivot.input.schema}
    name = next(n for n in ("name", "name_", "name__") if n not in taken)
    which = f'"cells".{identifier(name)}'
    branches = " ".join(f"WHEN {text(column)} THEN {identifier(column)}" for column in unpivot.columns)
    made = {unpivot.name_to: which, unpivot.value_to: f"CASE {which} {branches} END"}
    columns = [f"{made[c.name]} AS {identifier(c.name)}" if c.name in made else identifier(c.name) for c in unpivot.schema]
    names = " UNION ALL ".join(
        f"SELECT {text(column)}{f' AS {identifier(name)}' if not i else ''}" for i, column in enumerate(unpivot.columns)
    )
    kept = () if unpivot.keep_nulls else (f"{made[unpivot.value_to]} IS NOT NULL",)
    return Clauses(f'{source}\nCROSS JOIN ({names}) AS "cells"', columns, where=kept).text()


def _unnest(column: str, kind: DataType, keep_empty: bool) -> str:  # noqa: ARG001
    raise ValueError("Snowflake keeps no lists of ours; a plan with one has to be refused")


def _dedupe(parts: DedupeParts) -> tuple[str, str]:
    same = " AND ".join(f'"rows".{name} = "repeated".{name}' for name in parts.key)
    partner = nested(Clauses(f'{parts.repeated} AS "repeated"', ("1",), where=[same]).text())
    window = "\n".join((listed("PARTITION BY", parts.key), listed("ORDER BY", parts.order)))
    source = f'{parts.source} AS "rows"'
    first = f"row_number() OVER (\n{indented(window)}\n) = 1"
    chosen = Clauses(source, where=[f"EXISTS {partner}"], qualify=first).text()
    return Clauses(source, where=[f"NOT EXISTS {partner}"]).text(), chosen


DIALECT = Dialect(
    engine="snowflake",
    identifier=identifier,
    literal=literal,
    type_name=snowflake_type,
    functions=TABLE,
    aggregates=AGGREGATES,
    aggregate=aggregate_sql,
    cast=cast_sql,
    ordered=_as_it_is,
    equated=_as_it_is,
    column=_column,
    star=None,
    names_subqueries=True,
    half_join=_half_join,
    unpivot=_unpivot,
    derives=("semi", "anti", "unpivot"),
    unnest=_unnest,
    dedupe=_dedupe,
    aliases_capture=True,
    materializes=False,
)
