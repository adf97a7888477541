"""The step `limit`: the first rows only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

from pydantic import Field

from headrace.business.model.plugin import Plugin
from headrace.business.processing.relation import Limit, Relation


class LimitStep(Plugin):
    """Keeps so many rows: the first ones of a `sort` (rows that tie there are put in the order of all columns), else any.

    ```yaml
    - limit: 10
    - limit: {rows: 10, offset: 20}
    ```
    """

    kind: ClassVar[str] = "limit"
    keeps_columns: ClassVar[bool] = True
    shorthand: ClassVar[str | None] = "rows"

    rows: Annotated[int, Field(ge=0, strict=True)] = Field(description="How many rows to keep")
    offset: Annotated[int, Field(ge=0, strict=True)] = Field(0, description="How many rows to leave out before them")

    def apply(self, inputs: Mapping[str, Relation]) -> Relation:
        below = inputs["input"]
        return Limit(below.schema, below, self.rows, self.offset)
