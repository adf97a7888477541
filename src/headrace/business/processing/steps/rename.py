"""The step `rename`: new names for columns. Their order and the rows stay as they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from headrace.business.model.plugin import Plugin
from headrace.business.processing.relation import Relation
from headrace.business.processing.steps.findings import Findings
from headrace.business.processing.steps.options import Name, of_free_names
from headrace.business.processing.steps.projection import project, ref


class RenameStep(Plugin):
    """Gives columns new names: old name first, new name second. Two columns may swap their names.

    ```yaml
    - rename: {dep_delay: departure_delay, arr_delay: arrival_delay}
    ```
    """

    kind: ClassVar[str] = "rename"
    shorthand: ClassVar[str | None] = "columns"

    columns: Mapping[Name, Name] = Field(description="New names, by old names", min_length=1)

    @classmethod
    def written(cls, value: Any) -> Any:
        return of_free_names("columns", value)

    def apply(self, inputs: Mapping[str, Relation]) -> Relation:
        below, findings = inputs["input"], Findings()
        renamed = {}
        for old, new in self.columns.items():
            if column := findings.column(below.schema, old, "columns", old, on_key=True):
                renamed[column.name] = new
        staying = [name for name in below.schema.names if name not in renamed]
        findings.distinct(((new, ("columns", old)) for old, new in self.columns.items()), taken=staying, on_key=False)
        findings.settle()
        return project(below, {renamed.get(c.name, c.name): ref(c) for c in below.schema})
