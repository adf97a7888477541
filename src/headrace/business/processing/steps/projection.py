"""Short ways to say which columns a step gives. The schema of the result follows from them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from headrace.business.model.schema import Column, Schema
from headrace.business.processing.expressions.build import column
from headrace.business.processing.expressions.ir import ColumnRef, Expr
from headrace.business.processing.relation import Project, Relation, columns_of


def ref(of: Column) -> ColumnRef:
    return column(of.name, of.type)


def as_they_are(schema: Schema) -> dict[str, Expr]:
    """Every column of a schema under its own name."""
    return {c.name: ref(c) for c in schema}


def project(below: Relation, columns: Mapping[str, Expr], never_null: Collection[str] = ()) -> Project:
    """The rows below with these columns. Those in `never_null` are known to have values in every row."""
    pairs = tuple(columns.items())
    schema = columns_of(pairs, below.schema)
    known = Schema(tuple(replace(c, nullable=False) if c.name in never_null else c for c in schema))
    return Project(known, below, pairs)
