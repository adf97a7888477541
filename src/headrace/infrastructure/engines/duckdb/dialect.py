"""DuckDB's SQL as a dialect: what its printers are given. What it says of values, types and functions stands in the rooms beside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from headrace.business.model.types import DataType
from headrace.business.processing.relation import Unpivot
from headrace.infrastructure.engines.duckdb.aggregate_table import AGGREGATES, aggregate_sql
from headrace.infrastructure.engines.duckdb.casts import cast_sql
from headrace.infrastructure.engines.duckdb.function_table import TABLE
from headrace.infrastructure.engines.duckdb.literals import identifier, literal
from headrace.infrastructure.engines.duckdb.types import duckdb_type
from headrace.infrastructure.engines.sql.dialect import DedupeParts, Dialect
from headrace.infrastructure.engines.sql.layout import Clauses, indented, listed


def _as_it_is(sql: str, _: DataType) -> str:
    """DuckDB compares and orders values as we do, text by its code points."""
    return sql


def _star(dropped: Sequence[str], replaced: Sequence[str]) -> str:
    exclude = f" EXCLUDE ({', '.join(dropped)})" if dropped else ""
    return f"*{exclude} REPLACE ({', '.join(replaced)})" if replaced else f"*{exclude}"


def _half_join(left: str, right: str, condition: str, how: Literal["semi", "anti"]) -> str:
    return f"{left}\n{how.upper()} JOIN {right} ON {condition}"


def _unpivot(source: str, unpivot: Unpivot) -> str:
    columns = ", ".join(map(identifier, unpivot.columns))
    nulls = " INCLUDE NULLS" if unpivot.keep_nulls else ""
    return f"{source}\nUNPIVOT{nulls} ({identifier(unpivot.value_to)} FOR {identifier(unpivot.name_to)} IN ({columns}))"


def _unnest(column: str, _: DataType, keep_empty: bool) -> str:
    return f"unnest(CASE WHEN len({column}) > 0 THEN {column} ELSE [NULL] END)" if keep_empty else f"unnest({column})"


def _dedupe(parts: DedupeParts) -> tuple[str, str]:
    partner = f"{parts.repeated} USING ({', '.join(parts.key)})"
    window = "\n".join((listed("PARTITION BY", parts.key), listed("ORDER BY", parts.order)))
    chosen = Clauses(f"{parts.source}\nSEMI JOIN {partner}", qualify=f"row_number() OVER (\n{indented(window)}\n) = 1")
    return Clauses(f"{parts.source}\nANTI JOIN {partner}").text(), chosen.text()


DIALECT = Dialect(
    engine="duckdb",
    identifier=identifier,
    literal=literal,
    type_name=duckdb_type,
    functions=TABLE,
    aggregates=AGGREGATES,
    aggregate=aggregate_sql,
    cast=cast_sql,
    ordered=_as_it_is,
    equated=_as_it_is,
    column=_as_it_is,
    star=_star,
    names_subqueries=False,
    half_join=_half_join,
    unpivot=_unpivot,
    derives=(),
    unnest=_unnest,
    dedupe=_dedupe,
)
