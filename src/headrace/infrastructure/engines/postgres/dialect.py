"""PostgreSQL's SQL as a dialect: what the printers are given. What it says of values, types and functions stands in the rooms beside.

Text is compared and ordered under the collation "C", which is by code point in a database of UTF-8, whatever the database's own is.
"""

from __future__ import annotations

from typing import Literal

from headrace.business.model.types import DataType, Enum, Json, Null, String
from headrace.business.processing.relation import Unpivot
from headrace.infrastructure.engines.postgres.aggregate_table import AGGREGATES, aggregate_sql
from headrace.infrastructure.engines.postgres.casts import cast_sql
from headrace.infrastructure.engines.postgres.collation import by_code_point, holds_text
from headrace.infrastructure.engines.postgres.function_table import TABLE
from headrace.infrastructure.engines.postgres.literals import identifier, literal, text
from headrace.infrastructure.engines.postgres.types import postgres_type
from headrace.infrastructure.engines.sql.dialect import DedupeParts, Dialect
from headrace.infrastructure.engines.sql.layout import Clauses, nested


def _ordered(sql: str, kind: DataType) -> str:
    """JSON has no order of its own; where rows that tie have to be told apart, its text decides."""
    return f'CAST({sql} AS text) COLLATE "C"' if isinstance(kind, Json) else by_code_point(sql, kind)


def _column(sql: str, kind: DataType) -> str:
    if isinstance(kind, Null):
        return f"CAST({sql} AS {postgres_type(kind)})"
    return by_code_point(sql, kind) if holds_text(kind) else sql


def _half_join(left: str, right: str, condition: str, how: Literal["semi", "anti"]) -> str:
    partner = Clauses(right, ("1",), where=[condition]).text()
    return Clauses(left, where=[f"{'NOT ' if how == 'anti' else ''}EXISTS {nested(partner)}"]).text()


def _unpivot(source: str, unpivot: Unpivot) -> str:
    """Each row beside the values of its columns, under names that no column has."""
    taken = {c.name for c in unpivot.input.schema}
    name, value = (next(n for n in (w, f"{w}_", f"{w}__") if n not in taken) for w in ("name", "value"))
    cells = ", ".join(f"({text(column)}, {identifier(column)})" for column in unpivot.columns)
    made = {unpivot.name_to: name, unpivot.value_to: value}
    columns = []
    for c in unpivot.schema:
        inner = f'"cells".{identifier(made[c.name])}' if c.name in made else identifier(c.name)
        columns.append(f"{_column(inner, c.type)} AS {identifier(c.name)}" if c.name in made else inner)
    whole = f'{source}\nCROSS JOIN LATERAL (VALUES {cells}) AS "cells"({identifier(name)}, {identifier(value)})'
    kept = () if unpivot.keep_nulls else (f'"cells".{identifier(value)} IS NOT NULL',)
    return Clauses(whole, columns, where=kept).text()


def _unnest(column: str, kind: DataType, keep_empty: bool) -> str:
    if not keep_empty:
        return f"unnest({column})"
    return f"unnest(CASE WHEN cardinality({column}) > 0 THEN {column} ELSE CAST(ARRAY[NULL] AS {postgres_type(kind)}) END)"


def _dedupe(parts: DedupeParts) -> tuple[str, str]:
    same = " AND ".join(f'"rows".{name} = "repeated".{name}' for name in parts.key)
    partner = nested(Clauses(f'{parts.repeated} AS "repeated"', ("1",), where=[same]).text())
    source = f'{parts.source} AS "rows"'
    first = f"SELECT DISTINCT ON ({', '.join(parts.key)}) *"
    chosen = Clauses(source, where=[f"EXISTS {partner}"], order=[*parts.key, *parts.order]).text()
    alone = Clauses(source, where=[f"NOT EXISTS {partner}"]).text()
    return alone, nested(chosen.replace("SELECT *", first, 1))


def _equated(sql: str, kind: DataType) -> str:
    return by_code_point(sql, kind) if isinstance(kind, String | Enum) else sql


DIALECT = Dialect(
    engine="postgres",
    identifier=identifier,
    literal=literal,
    type_name=postgres_type,
    functions=TABLE,
    aggregates=AGGREGATES,
    aggregate=aggregate_sql,
    cast=cast_sql,
    ordered=_ordered,
    equated=_equated,
    column=_column,
    star=None,
    names_subqueries=True,
    half_join=_half_join,
    unpivot=_unpivot,
    derives=("semi", "anti", "unpivot"),
    unnest=_unnest,
    dedupe=_dedupe,
)
