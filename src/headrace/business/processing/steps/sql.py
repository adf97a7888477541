"""The step `sql`: a SELECT over the datasets of the pipeline. It can read nothing else and change nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from headrace.business.model.plugin import Plugin
from headrace.business.model.references import Sql
from headrace.business.processing.expressions.faults import ExpressionError
from headrace.business.processing.relation import Relation
from headrace.business.processing.select import bind_select
from headrace.business.processing.steps.findings import Findings


class SqlStep(Plugin):
    """Gives what a SELECT gives. It may name any source, any step before it, and `input`, the dataset it stands behind.

    ```yaml
    - sql: select f.*, a.name as airline from flights f join airlines a using (carrier)
    ```
    """

    kind: ClassVar[str] = "sql"
    shorthand: ClassVar[str | None] = "query"

    query: Sql = Field(description="One SELECT, in DuckDB's dialect")

    def apply(self, inputs: Mapping[str, Relation]) -> Relation:
        findings = Findings()
        try:
            return bind_select(self.query, inputs)
        except ExpressionError as error:
            findings.add(error.message, "query", hint=error.hint, offset=error.offset)
        raise findings.error()
