"""Spark's SQL as a dialect: what the printers are given. What it says of values, types and functions stands in the rooms beside.

Text is compared and ordered by its bytes in UTF-8, which is by code point.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from headrace.business.model.types import DataType, Null
from headrace.business.processing.expressions.ir import Aggregate, Expr
from headrace.business.processing.relation import Unpivot
from headrace.infrastructure.engines.spark.aggregate_table import AGGREGATES, ORDERED, aggregate_sql
from headrace.infrastructure.engines.spark.casts import cast_sql
from headrace.infrastructure.engines.spark.function_table import TABLE
from headrace.infrastructure.engines.spark.literals import literal
from headrace.infrastructure.engines.spark.naming import identifier
from headrace.infrastructure.engines.spark.types import spark_type
from headrace.infrastructure.engines.spark.windows import FRAMELESS
from headrace.infrastructure.engines.sql.dialect import DedupeParts, Dialect
from headrace.infrastructure.engines.sql.expressions import ExpressionPrinter
from headrace.infrastructure.engines.sql.layout import Clauses, indented, listed, nested

#: The number of a row among those of its key.
_PLACE = "#place"


def _as_it_is(sql: str, _: DataType) -> str:
    return sql


def _column(sql: str, kind: DataType) -> str:
    """A null of no type cannot be written to a file."""
    return f"CAST({sql} AS INT)" if isinstance(kind, Null) else sql


def _aggregate(e: Aggregate, args: Sequence[str], where: str | None, order: str, over: str) -> str:  # noqa: ARG001 - printed from `e`
    return aggregate_sql(e, args, where, over, _print)


def _print(e: Expr) -> str:
    return ExpressionPrinter(DIALECT).sql(e)


def _valued(kind: Literal["exists", "in"], test: str) -> str:
    """Spark knows of a test whether it holds, and never null; and takes an EXISTS beside an operator only in brackets."""
    return f"({test})" if kind == "exists" else f"CASE WHEN {test} THEN true WHEN NOT {test} THEN false END"


def _half_join(left: str, right: str, condition: str, how: Literal["semi", "anti"]) -> str:
    return f"{left}\nLEFT {how.upper()} JOIN {right} ON {condition}"


def _unpivot(source: str, unpivot: Unpivot) -> str:
    columns = ", ".join(map(identifier, unpivot.columns))
    nulls = " INCLUDE NULLS" if unpivot.keep_nulls else ""
    return f"{source}\nUNPIVOT{nulls} ({identifier(unpivot.value_to)} FOR {identifier(unpivot.name_to)} IN ({columns}))"


def _unnest(column: str, _: DataType, keep_empty: bool) -> str:
    return f"explode_outer({column})" if keep_empty else f"explode({column})"


def _dedupe(parts: DedupeParts) -> tuple[str, str]:
    partner = f"{parts.repeated} USING ({', '.join(parts.key)})"
    window = "\n".join((listed("PARTITION BY", parts.key), listed("ORDER BY", parts.order or parts.key)))
    place = f"row_number() OVER (\n{indented(window)}\n) AS {identifier(_PLACE)}"
    numbered = Clauses(f"{parts.source}\nLEFT SEMI JOIN {partner}", ("*", place)).text()
    chosen = Clauses(nested(numbered), (f"* EXCEPT ({identifier(_PLACE)})",), where=[f"{identifier(_PLACE)} = 1"])
    return Clauses(f"{parts.source}\nLEFT ANTI JOIN {partner}").text(), chosen.text()


DIALECT = Dialect(
    engine="spark",
    identifier=identifier,
    literal=literal,
    type_name=spark_type,
    functions=TABLE,
    aggregates={*AGGREGATES, *ORDERED},
    aggregate=_aggregate,
    cast=cast_sql,
    ordered=_as_it_is,
    equated=_as_it_is,
    column=_column,
    star=None,
    names_subqueries=False,
    half_join=_half_join,
    unpivot=_unpivot,
    derives=(),
    unnest=_unnest,
    dedupe=_dedupe,
    valued=_valued,
    frameless=FRAMELESS,
    materializes=False,
)
