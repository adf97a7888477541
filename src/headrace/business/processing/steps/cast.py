"""The step `cast`: other types for columns. What does not fit is never rounded or cut in silence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field

from headrace.business.model.contract import TypeOption
from headrace.business.model.part import Model
from headrace.business.model.plugin import Plugin
from headrace.business.processing.expressions.build import cast
from headrace.business.processing.expressions.casting import cast_problem
from headrace.business.processing.expressions.ir import CastFormat
from headrace.business.processing.relation import Relation
from headrace.business.processing.steps.findings import Findings
from headrace.business.processing.steps.options import Name, NullWord, of_free_names
from headrace.business.processing.steps.projection import as_they_are, project, ref


class Target(Model):
    """The type of a column, and how its text is to be read."""

    to: TypeOption = Field(description="The new type")
    format: str | None = Field(None, description="How dates and times are written, in `strptime` letters")
    decimal_mark: Literal[".", ","] = "."
    thousands_mark: Literal[",", ".", " ", "'", "_"] | None = None
    invalid: Annotated[Literal["fail", "null"], NullWord] = Field(
        "fail", description="What becomes of a value that does not fit: the run fails, or it becomes null"
    )


def _target(written: Any) -> Any:
    return written if isinstance(written, Mapping | Target) else {"to": written}


class CastStep(Plugin):
    """Gives columns other types. A value that does not fit exactly fails the run, or becomes null with `invalid: null`.

    To hold such rows back with their reasons instead, give the column its type in the contract of the source.

    ```yaml
    - cast: {flight: int32, price: {to: "decimal(10, 2)", decimal_mark: ",", invalid: null}}
    ```
    """

    kind: ClassVar[str] = "cast"
    shorthand: ClassVar[str | None] = "columns"

    columns: Mapping[Name, Annotated[Target, BeforeValidator(_target, json_schema_input_type=Target | str)]] = Field(
        description="A type for each column, or `{to, format, decimal_mark, thousands_mark, invalid}`", min_length=1
    )

    @classmethod
    def written(cls, value: Any) -> Any:
        return of_free_names("columns", value)

    def apply(self, inputs: Mapping[str, Relation]) -> Relation:
        below, findings = inputs["input"], Findings()
        columns = as_they_are(below.schema)
        never_null = set()
        for name, target in self.columns.items():
            column = findings.column(below.schema, name, "columns", name, on_key=True)
            if column is None:
                continue
            if problem := cast_problem(column.type, target.to):
                findings.add(problem[0], "columns", name, hint=problem[1])
                continue
            written = CastFormat(target.format, target.decimal_mark, target.thousands_mark)
            columns[column.name] = cast(ref(column), target.to, lenient=target.invalid == "null", written=written)
            if not column.nullable and target.invalid == "fail":
                never_null.add(column.name)
        findings.settle()
        return project(below, columns, never_null)
