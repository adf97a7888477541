"""The step `select`: which columns go on. Rows stay as they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from headrace.business.model.plugin import Plugin
from headrace.business.processing.relation import Relation
from headrace.business.processing.steps.findings import Findings
from headrace.business.processing.steps.options import Names
from headrace.business.processing.steps.projection import project, ref


class SelectStep(Plugin):
    """Keeps the named columns, in this order, or all but the ones to drop.

    ```yaml
    - select: [carrier, flight, distance]
    - select: {drop: [tailnum]}
    ```
    """

    kind: ClassVar[str] = "select"
    shorthand: ClassVar[str | None] = "columns"

    columns: Names = Field((), description="The columns to keep, in order")
    drop: Names = Field((), description="The columns to leave out; all others are kept")

    def apply(self, inputs: Mapping[str, Relation]) -> Relation:
        below, findings = inputs["input"], Findings()
        if bool(self.columns) == bool(self.drop):
            findings.add("say which columns to keep, or which ones to `drop`", hint="for example `select: [carrier, distance]`")
        kept = findings.columns(below.schema, self.columns, "columns")
        dropped = findings.columns(below.schema, self.drop, "drop")
        if self.drop and len(dropped) == len(below.schema):
            findings.add("this drops all columns", "drop", hint="a dataset needs at least one")
        findings.settle()
        return project(below, {c.name: ref(c) for c in kept or below.schema if c not in dropped})
