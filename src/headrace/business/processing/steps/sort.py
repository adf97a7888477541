"""The step `sort`: the order of rows. Columns and the rows themselves stay as they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from headrace.business.model.plugin import Plugin
from headrace.business.processing.relation import Relation, Sort
from headrace.business.processing.steps.findings import Findings
from headrace.business.processing.steps.options import Terms
from headrace.business.processing.steps.ordering import read_terms


class SortStep(Plugin):
    """Puts rows in order: by columns, the greatest first with `-` or `desc`; nulls last unless `nulls first` is said.

    The order is kept by steps that work row by row, by `limit` and by the sinks; steps that group, join or
    put rows together have an order of their own.

    ```yaml
    - sort: [-dep_delay, carrier]
    - sort: dep_delay desc nulls first
    ```
    """

    kind: ClassVar[str] = "sort"
    keeps_columns: ClassVar[bool] = True
    shorthand: ClassVar[str | None] = "by"

    by: Terms = Field(description="Columns or expressions, the most important first", min_length=1)

    def apply(self, inputs: Mapping[str, Relation]) -> Relation:
        below, findings = inputs["input"], Findings()
        terms = read_terms(self.by, below.schema, findings, "by")
        findings.settle()
        return Sort(below.schema, below, tuple(term.key for term in terms))
