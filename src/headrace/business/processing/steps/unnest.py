"""The step `unnest`: the items of a list become rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from headrace.business.model.plugin import Plugin
from headrace.business.model.schema import Column, Schema
from headrace.business.model.types import List
from headrace.business.processing.relation import Relation, Unnest
from headrace.business.processing.steps.findings import Findings
from headrace.business.processing.steps.options import Name


class UnnestStep(Plugin):
    """Gives one row for each item of a list column. The item takes the place of the list; the other columns are repeated.

    A row whose list is empty or null gives no row, unless empty ones are to be kept, with a null for the item.

    ```yaml
    - unnest: tags
    - unnest: {column: tags, into: tag, keep_empty: true}
    ```
    """

    kind: ClassVar[str] = "unnest"
    shorthand: ClassVar[str | None] = "column"

    column: Name = Field(description="The column of lists")
    into: Name | None = Field(None, description="What the item is called: as the list, unless said")
    keep_empty: bool = Field(False, description="Whether a row without items stays, with a null")

    def apply(self, inputs: Mapping[str, Relation]) -> Relation:
        below, findings = inputs["input"], Findings()
        column = findings.column(below.schema, self.column, "column")
        if column is None:
            raise findings.error()
        if not isinstance(column.type, List):
            hint = f"cast it before, as in `cast: {{{column.name}: list<string>}}`"
            findings.add(f"`{column.name}` is of type {column.type}, and only lists have items", "column", hint=hint)
            raise findings.error()
        into = self.into or column.name
        findings.distinct([(into, ("into",))], taken=[c.name for c in below.schema if c != column], on_key=False)
        findings.settle()
        item = Column(into, column.type.item, True, column.classification)
        schema = Schema(tuple(item if c == column else c for c in below.schema))
        return Unnest(schema, below, column.name, into, self.keep_empty)
