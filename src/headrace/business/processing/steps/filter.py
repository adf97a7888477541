"""The step `filter`: which rows go on. Columns stay as they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from headrace.business.model.plugin import Plugin
from headrace.business.processing.relation import Filter, Relation
from headrace.business.processing.steps.findings import Findings
from headrace.business.processing.steps.options import Expression


class FilterStep(Plugin):
    """Keeps the rows for which the condition is true. A row for which it is null is left out, as in SQL.

    ```yaml
    - filter: dep_delay > 0 and carrier <> 'UA'
    ```
    """

    kind: ClassVar[str] = "filter"
    keeps_columns: ClassVar[bool] = True
    shorthand: ClassVar[str | None] = "condition"

    condition: Expression = Field(description="What must be true of a row")

    def apply(self, inputs: Mapping[str, Relation]) -> Relation:
        below, findings = inputs["input"], Findings()
        condition = findings.condition(self.condition, below.schema, "condition")
        if condition is None:
            raise findings.error()
        return Filter(below.schema, below, condition)
