"""Runs steps on DuckDB over small data, and holds every result against the schema that the step promised."""

from __future__ import annotations

import importlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb

from headrace.business.model.schema import Schema
from headrace.business.processing.relation import Dataset, Relation
from headrace.infrastructure.engines.duckdb.literals import identifier
from headrace.infrastructure.engines.duckdb.relations import with_clause
from headrace.infrastructure.engines.duckdb.types import duckdb_type

Row = dict[str, Any]


def step_class(kind: str) -> Any:
    return getattr(importlib.import_module(f"headrace.business.processing.steps.{kind}"), f"{kind.capitalize()}Step")


@dataclass
class Kitchen:
    """A database, the datasets in it, and a way to run steps over them."""

    connection: duckdb.DuckDBPyConnection
    inputs: dict[str, Relation] = field(default_factory=dict)
    tables: dict[str, str] = field(default_factory=dict)

    def table(self, name: str, schema: Schema, rows: Sequence[Row]) -> None:
        """A dataset of these rows. The first one is the input of the steps."""
        columns = ", ".join(f"{identifier(c.name)} {duckdb_type(c.type)}" for c in schema)
        self.connection.execute(f"CREATE OR REPLACE TABLE {identifier(name)} ({columns})")
        if rows:
            marks = f"({', '.join('?' for _ in schema)})"
            for some in (rows[i : i + 1000] for i in range(0, len(rows), 1000)):
                values = [row.get(c.name) for row in some for c in schema]
                self.connection.execute(f"INSERT INTO {identifier(name)} VALUES {', '.join([marks] * len(some))}", values)
        self.inputs[name] = Dataset(schema, name)
        self.inputs.setdefault("input", self.inputs[name])
        self.tables[name] = identifier(name)

    def relation(self, kind: str, written: Any) -> Relation:
        made = step_class(kind)
        relation: Relation = made.model_validate(made.written(written)).apply(self.inputs)
        return relation

    def run(self, *steps: Mapping[str, Any]) -> list[Row]:
        """The rows that the last of the steps gives."""
        inputs, relations = dict(self.inputs), []
        for i, step in enumerate(steps):
            ((kind, written),) = step.items()
            made = step_class(kind)
            relation = made.model_validate(made.written(written)).apply(inputs)
            name = f"{kind} {i}"
            relations.append((name, relation))
            inputs[name] = inputs["input"] = Dataset(relation.schema, name)
        statement = with_clause(relations, relations[-1][0], self.tables)
        self._check_schema(statement, relations[-1][1].schema)
        found = self.connection.execute(statement)
        names = [column[0] for column in found.description]
        rows = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
        for column in relations[-1][1].schema:
            assert column.nullable or all(row[column.name] is not None for row in rows), f"{column} holds a null"
        return rows

    def _check_schema(self, statement: str, schema: Schema) -> None:
        described = self.connection.execute(f"DESCRIBE {statement}").fetchall()
        assert [(row[0], row[1]) for row in described] == [(c.name, self._written(duckdb_type(c.type))) for c in schema], (
            statement
        )

    def _written(self, kind: str) -> str:
        """A type as DuckDB writes it."""
        row = self.connection.execute(f"DESCRIBE SELECT CAST(NULL AS {kind}) AS x").fetchone()
        assert row is not None
        return str(row[1])


def plain(value: Any) -> Any:
    """A value that compares and sorts: NaN equals NaN, -0.0 is 0.0, nulls have a place."""
    if isinstance(value, float):
        return "NaN" if math.isnan(value) else round(value, 9) + 0.0
    if isinstance(value, list):
        return tuple(map(plain, value))
    return value


def bag(rows: Sequence[Row]) -> list[tuple[str, ...]]:
    """Rows as a multiset; the order of columns is checked against the schema of every result."""
    return sorted(tuple(sorted(f"{name}={plain(value)!r}" for name, value in row.items())) for row in rows)


def in_order(value: Any) -> tuple[bool, bool, Any]:
    """What makes Python order values as every step does: NaN after all numbers, nulls last."""
    not_a_number = isinstance(value, float) and math.isnan(value)
    return value is None, not_a_number, None if value is None or not_a_number else value
