"""Runs a step that is a Python function over Arrow tables. The user's code is called here and nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb

from headrace.business.model.schema import Schema
from headrace.business.processing.relation import Function
from headrace.business.processing.steps.user_function import UserFunction
from headrace.errors import HeadraceError, NonRetryableError
from headrace.infrastructure.duckdb_connection import Connection
from headrace.infrastructure.engines.duckdb.literals import identifier
from headrace.infrastructure.engines.duckdb.types import duckdb_type


def call_function(con: Connection, relation: Function, project: Path, queries: Sequence[str], table: str, step: str) -> None:
    """Give the inputs to the function as Arrow tables, and keep what it gives back as a table of the declared schema."""
    tables = [con.arrow_table(query) for query in queries]
    call = relation.call.at(project) if isinstance(relation.call, UserFunction) else relation.call
    try:
        made = call(*tables)
    except HeadraceError:
        raise
    except Exception as error:
        raise NonRetryableError(
            f"step `{step}`: {relation.label} raised {type(error).__name__}: {error}",
            hint="mend the function, or the rows it cannot take",
        ) from error
    con.register("#made", made)
    try:
        con.execute(f'CREATE OR REPLACE TEMP TABLE {table} AS SELECT {_declared(relation.schema)} FROM "#made"')
    except duckdb.Error as error:
        raise NonRetryableError(
            f"step `{step}`: {relation.label} gave something else than its declared schema: {str(error).splitlines()[0]}",
            hint=f"it must give the columns {', '.join(map(str, relation.schema))}",
        ) from error
    finally:
        con.unregister("#made")


def _declared(schema: Schema) -> str:
    return ", ".join(f"CAST({identifier(c.name)} AS {duckdb_type(c.type)}) AS {identifier(c.name)}" for c in schema)
