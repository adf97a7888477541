"""The step `union`: the rows of several datasets one after another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

from pydantic import Field

from headrace.business.model.plugin import Plugin
from headrace.business.model.schema import Column, Schema
from headrace.business.model.types import DataType
from headrace.business.processing.expressions.build import cast, constant
from headrace.business.processing.expressions.coercion import common_type
from headrace.business.processing.expressions.ir import Expr
from headrace.business.processing.relation import Distinct, Relation, SetOperation
from headrace.business.processing.steps.findings import Findings
from headrace.business.processing.steps.options import Names
from headrace.business.processing.steps.projection import project, ref


class UnionStep(Plugin):
    """Adds the rows of other datasets. Columns go together by name; one that a dataset lacks is null in its rows.

    Columns of one name must be of one type, or numbers, which are widened.

    ```yaml
    - union: [flights_2014, flights_2015]
    - union: {with: corrections, distinct: true}
    ```
    """

    kind: ClassVar[str] = "union"
    shorthand: ClassVar[str | None] = "with"

    with_: Names = Field(alias="with", description="The datasets whose rows are added", min_length=1)
    distinct: bool = Field(False, description="Whether rows that are alike in every column come out once")

    def apply(self, inputs: Mapping[str, Relation]) -> Relation:
        findings = Findings()
        parts = {-1: inputs["input"]}
        for i, name in enumerate(self.with_):
            if part := findings.dataset(inputs, name, "with", i):
                parts[i] = part
        schema = self._schema(parts, findings)
        findings.settle()
        whole = SetOperation(schema, tuple(_fitted(part, schema) for part in parts.values()))
        return Distinct(schema, whole) if self.distinct else whole

    def _schema(self, parts: Mapping[int, Relation], findings: Findings) -> Schema:
        columns: dict[str, Column] = {}
        for i, part in parts.items():
            for column in part.schema:
                name = next((known for known in columns if known.lower() == column.name.lower()), column.name)
                before = columns.get(name)
                kind = column.type if before is None else common_type(before.type, column.type)
                if before is not None and kind is None:
                    message = f"`{name}` is of type {column.type} in `{self.with_[i]}`, and of type {before.type} before"
                    findings.add(message, "with", i, hint="cast one of them before")
                columns[name] = _together(name, before, column, kind or column.type)
        return Schema(tuple(_missing_somewhere(c, list(parts.values())) for c in columns.values()))


def _together(name: str, before: Column | None, column: Column, kind: DataType) -> Column:
    if before is None:
        return column
    nullable = before.nullable or column.nullable
    return replace(
        before, name=name, type=kind, nullable=nullable, classification=before.classification or column.classification
    )


def _missing_somewhere(column: Column, parts: Sequence[Relation]) -> Column:
    everywhere = all(part.schema.resolve(column.name) is not None for part in parts)
    return column if everywhere else Column(column.name, column.type, True, column.classification)


def _fitted(part: Relation, schema: Schema) -> Relation:
    """A part with the columns of the whole, in its order."""
    if [(c.name, c.type) for c in part.schema] == [(c.name, c.type) for c in schema]:
        return part
    columns: dict[str, Expr] = {}
    for column in schema:
        own = part.schema.resolve(column.name)
        if own is None:
            columns[column.name] = constant(None, column.type)
        else:
            columns[column.name] = ref(own) if own.type == column.type else cast(ref(own), column.type)
    return project(part, columns)
