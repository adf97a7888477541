"""The numbers of the keys of rows, as DuckDB makes them. Not what is found by them (see `stream_seeking`)."""

from __future__ import annotations

from collections.abc import Sequence

from headrace.business.model.schema import Schema
from headrace.business.streams.keys import Keys
from headrace.infrastructure.engines.duckdb.expressions import ExpressionPrinter
from headrace.infrastructure.engines.duckdb.literals import identifier
from headrace.infrastructure.engines.duckdb.stream_statements import Inlet
from headrace.infrastructure.engines.duckdb.types import duckdb_type


def typed(inlet: Inlet, schema: Schema) -> str:
    """What stands after FROM for the rows of an inlet, in the types of a table."""
    columns = ", ".join(f"CAST({identifier(c.name)} AS {duckdb_type(c.type)}) AS {identifier(c.name)}" for c in schema)
    return f"(SELECT {columns} FROM {inlet.sql})"


def with_number(rows: str, keys: Keys) -> str:
    """A query of rows with the number of their keys behind them."""
    return f"SELECT *, {_number(keys)} FROM {rows}"


def numbers(rows: str, keys: Keys) -> str | None:
    """A query of the numbers of rows; None where there are no keys."""
    return f"SELECT {_number(keys)} FROM {rows}" if keys else None


def number_sql(values: Sequence[str]) -> str:
    """The number of a row that has these values."""
    return f"CAST(hash({', '.join(values)}) >> 1 AS BIGINT)"


def _number(keys: Keys) -> str:
    return number_sql([ExpressionPrinter().sql(key) for key in keys])
