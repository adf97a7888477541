"""The step `derive`: new columns from those of the same row. Rows stay as they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from headrace.business.model.plugin import Plugin
from headrace.business.model.schema import Schema
from headrace.business.processing.expressions.ir import Expr
from headrace.business.processing.relation import Relation
from headrace.business.processing.steps.findings import Findings
from headrace.business.processing.steps.options import Expression, Name, of_free_names
from headrace.business.processing.steps.projection import as_they_are, project


class DeriveStep(Plugin):
    """Adds columns, or replaces those that already have the name. Each may use the ones derived before it.

    ```yaml
    - derive: {speed_mph: distance / (air_time / 60.0), fast: speed_mph > 500}
    ```
    """

    kind: ClassVar[str] = "derive"
    shorthand: ClassVar[str | None] = "columns"

    columns: Mapping[Name, Expression] = Field(description="An expression for each column", min_length=1)

    @classmethod
    def written(cls, value: Any) -> Any:
        return of_free_names("columns", value)

    def apply(self, inputs: Mapping[str, Relation]) -> Relation:
        below, findings = inputs["input"], Findings()
        pending: dict[str, Expr] = {}
        broken: set[str] = set()
        for name, text in self.columns.items():
            so_far = project(below, {**as_they_are(below.schema), **pending})
            findings.distinct([(name, ("columns", name))], taken=[n for n in so_far.schema.names if n != name])
            expression = self._read(text, name, so_far.schema, broken, findings)
            if expression is None:
                broken.add(name)
                continue
            if expression.columns() & pending.keys():
                below, pending = so_far, {}
            pending[name] = expression
        findings.settle()
        return project(below, {**as_they_are(below.schema), **pending})

    def _read(self, text: str, name: str, schema: Schema, broken: set[str], findings: Findings) -> Expr | None:
        """The expression of a column. It is not blamed for resting on one that is wrong itself."""
        trial = Findings()
        known = schema.select(n for n in schema.names if n not in broken)
        expression = trial.expression(text, known, "columns", name)
        if not any(f"`{other}`" in problem.message for other in broken for problem in trial.problems):
            findings.extend(trial)
        return expression
