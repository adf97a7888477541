"""The step `pivot`: values of a column become columns. Which ones is declared, so the result's schema never depends on the data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, ClassVar

from pydantic import Field

from headrace.business.model.plugin import Plugin
from headrace.business.processing.expressions.build import is_null, test
from headrace.business.processing.expressions.ir import Aggregate, Constant, Expr
from headrace.business.processing.relation import Relation
from headrace.business.processing.steps.aggregate import group, read_measures
from headrace.business.processing.steps.findings import Findings
from headrace.business.processing.steps.options import Expression, Name, Names, Value
from headrace.business.processing.steps.projection import ref
from headrace.business.processing.steps.values import label_of


class PivotStep(Plugin):
    """Gives one row for each group, and a column for each of the declared values, measured over the rows that have it.

    A column is called after its value; with several measures, `<value>_<measure>`. Rows with other values count nowhere.

    ```yaml
    - pivot: {by: [carrier], on: origin, values: [EWR, JFK, LGA], measure: count(*)}
    - pivot: {by: carrier, on: month, values: {january: 1, june: 6}, measure: {miles: sum(distance), rows: count(*)}}
    ```
    """

    kind: ClassVar[str] = "pivot"

    by: Names = Field((), description="The columns that make a group")
    on: Name = Field(description="The column whose values become columns")
    values: Annotated[Mapping[Name, Value] | tuple[Value, ...], Field(min_length=1)] = Field(
        description="The values that become columns, or `{name: value}`"
    )
    measure: Mapping[Name, Expression] | Expression = Field(description="An expression with aggregates, or several by name")

    def apply(self, inputs: Mapping[str, Relation]) -> Relation:
        below, findings = inputs["input"], Findings()
        keys: dict[str, Expr] = {c.name: ref(c) for c in findings.columns(below.schema, self.by, "by")}
        several = isinstance(self.measure, Mapping)
        texts = self.measure if isinstance(self.measure, Mapping) else {"measure": self.measure}
        measures = read_measures(texts, below.schema, keys, findings, *(["measure"] if several else []))
        for name, measure in measures.items():
            if not any(isinstance(e, Aggregate) for e in measure.walk()):
                findings.add(
                    "a measure needs an aggregate", "measure", *([name] if several else []), hint="for example `sum(distance)`"
                )
        conditions = self._conditions(below, findings)
        columns: dict[str, Expr] = {}
        for (label, place), condition in conditions.items():
            named = {f"{label}_{name}" if several else label: _only(e, condition) for name, e in measures.items()}
            findings.distinct(
                ((name, ("values", place)) for name in named), taken=[*keys, *columns], on_key=isinstance(place, str)
            )
            columns.update(named)
        findings.settle()
        return group(below, keys, columns)

    def _conditions(self, below: Relation, findings: Findings) -> dict[tuple[str, str | int], Expr]:
        """When a row counts for a value, by the value's name and its place in the definition."""
        column = findings.column(below.schema, self.on, "on")
        if column is None:
            return {}
        if isinstance(self.values, Mapping):
            written = [(name, name, value) for name, value in self.values.items()]
        else:
            written = [(label_of(value), i, value) for i, value in enumerate(self.values)]  # type: ignore[misc]
        conditions: dict[tuple[str, str | int], Expr] = {}
        for label, place, value in written:
            constant: Constant | None = findings.value(value, column.type, "values", place)
            if constant is not None:
                matched = is_null(ref(column)) if value is None else test("equal", ref(column), constant)
                conditions[label, place] = matched
        return conditions


def _only(measure: Expr, condition: Expr) -> Expr:
    """A measure over those rows only for which the condition is true."""

    def narrow(expression: Expr) -> Expr:
        if not isinstance(expression, Aggregate):
            return expression
        where = condition if expression.where is None else test("and", condition, expression.where)
        return replace(expression, where=where)

    return measure.map(narrow)
