"""Runs a step that is a Python function over Arrow tables. The user's code is called here and nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

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
    made = called(relation, project, [con.arrow_table(query) for query in queries], step)
    con.register("#made", made)
    try:
        con.execute(f'CREATE OR REPLACE TEMP TABLE {table} AS SELECT {declared(relation.schema)} FROM "#made"')
    except duckdb.Error as error:
        raise undeclared(relation, step, error) from error
    finally:
        con.unregister("#made")


def called(relation: Function, project: Path, tables: Sequence[Any], step: str) -> Any:
    """What the function gives for its tables."""
    call = relation.call.at(project) if isinstance(relation.call, UserFunction) else relation.call
    try:
        return call(*tables)
    except HeadraceError:
        raise
    except Exception as error:
        raise NonRetryableError(
            f"step `{step}`: {relation.label} raised {type(error).__name__}: {error}",
            hint="mend the function, or the rows it cannot take",
        ) from error


def undeclared(relation: Function, step: str, error: duckdb.Error) -> NonRetryableError:
    return NonRetryableError(
        f"step `{step}`: {relation.label} gave something else than its declared schema: {str(error).splitlines()[0]}",
        hint=f"it must give the columns {', '.join(map(str, relation.schema))}",
    )


def declared(schema: Schema) -> str:
    """The columns of what a function gives, in their declared types."""
    return ", ".join(f"CAST({identifier(c.name)} AS {duckdb_type(c.type)}) AS {identifier(c.name)}" for c in schema)
