"""The step `unpivot`: columns become rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from pydantic import Field

from headrace.business.model.plugin import Plugin
from headrace.business.model.schema import Column, Schema
from headrace.business.model.types import DataType, Null, String
from headrace.business.processing.expressions.build import cast
from headrace.business.processing.expressions.coercion import common_type
from headrace.business.processing.expressions.ir import Expr
from headrace.business.processing.relation import Relation, Unpivot
from headrace.business.processing.steps.findings import Findings
from headrace.business.processing.steps.options import Name, Names
from headrace.business.processing.steps.projection import as_they_are, project, ref


class UnpivotStep(Plugin):
    """Gives one row for each row and listed column: the column's name in one new column, its value in another.

    The listed columns must be of one type, or numbers. The other columns are repeated. A null value gives no row,
    unless nulls are to be kept.

    ```yaml
    - unpivot: {columns: [dep_delay, arr_delay], name_to: kind, value_to: minutes}
    ```
    """

    kind: ClassVar[str] = "unpivot"
    shorthand: ClassVar[str | None] = "columns"

    columns: Names = Field(description="The columns that become rows", min_length=1)
    name_to: Name = Field("name", description="The new column for their names")
    value_to: Name = Field("value", description="The new column for their values")
    keep_nulls: bool = Field(False, description="Whether a null value gives a row too")

    def apply(self, inputs: Mapping[str, Relation]) -> Relation:
        below, findings = inputs["input"], Findings()
        turned = findings.columns(below.schema, self.columns, "columns")
        staying = [c for c in below.schema if c not in turned]
        findings.distinct([(self.name_to, ("name_to",))], taken=[c.name for c in staying], on_key=False)
        findings.distinct([(self.value_to, ("value_to",))], taken=[*(c.name for c in staying), self.name_to], on_key=False)
        kind = self._kind(turned, findings)
        findings.settle()
        changed: dict[str, Expr] = {c.name: cast(ref(c), kind) for c in turned if c.type != kind}
        if changed:
            below = project(below, {**as_they_are(below.schema), **changed}, [c.name for c in turned if not c.nullable])
        value = Column(self.value_to, kind, self.keep_nulls and any(c.nullable for c in turned), _classification(turned))
        schema = Schema((*staying, Column(self.name_to, String(), nullable=False), value))
        return Unpivot(schema, below, tuple(c.name for c in turned), self.name_to, self.value_to, self.keep_nulls)

    def _kind(self, turned: Sequence[Column], findings: Findings) -> DataType:
        """The one type of all values."""
        kind: DataType = Null()
        for i, column in enumerate(turned):
            found = common_type(kind, column.type)
            if found is None:
                message = f"`{column.name}` is of type {column.type}, and `{turned[0].name}` of type {turned[0].type}"
                findings.add(message, "columns", i, hint="cast one of them before, so that the values have one type")
            kind = found or kind
        return kind


def _classification(columns: Sequence[Column]) -> str | None:
    return min((c.classification for c in columns if c.classification is not None), default=None)
