"""The numbers of the keys of rows, as DuckDB makes them. Not what is found by them (see `stream_seeking`)."""

from __future__ import annotations

from headrace.business.model.schema import Schema
from headrace.business.processing.relation import Dataset
from headrace.business.processing.steps.event_windows import whole
from headrace.business.processing.steps.projection import project
from headrace.business.streams.keys import NUMBERED, Keys, numbered
from headrace.infrastructure.engines.duckdb.literals import identifier
from headrace.infrastructure.engines.duckdb.stream_statements import Inlet, query
from headrace.infrastructure.engines.duckdb.types import duckdb_type

_ROWS = "#:rows"


def typed(inlet: Inlet, schema: Schema) -> str:
    """What stands after FROM for the rows of an inlet, in the types of a table."""
    columns = ", ".join(f"CAST({identifier(c.name)} AS {duckdb_type(c.type)}) AS {identifier(c.name)}" for c in schema)
    return f"(SELECT {columns} FROM {inlet.sql})"


def with_number(rows: str, schema: Schema, keys: Keys) -> str:
    """A query of rows with the number of their keys behind them."""
    return query({}, numbered(Dataset(schema, _ROWS), keys), {_ROWS: rows})


def numbers(rows: str, schema: Schema, keys: Keys) -> str:
    """A query of the numbers of rows."""
    return query({}, project(numbered(Dataset(schema, _ROWS), keys), {NUMBERED: whole(NUMBERED)}), {_ROWS: rows})
