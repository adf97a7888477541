"""The step `lookup`: columns from a dataset that has at most one row for each of ours. It never multiplies rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from headrace.business.model.plugin import Plugin
from headrace.business.model.schema import Column, Schema
from headrace.business.processing.expressions.build import column
from headrace.business.processing.expressions.ir import Call, Constant, Expr
from headrace.business.processing.relation import Join, Relation
from headrace.business.processing.steps.findings import Findings
from headrace.business.processing.steps.options import Name, Names, NullWord, Value
from headrace.business.processing.steps.partners import match_columns, nullable, partners
from headrace.business.processing.steps.projection import as_they_are, project


class LookupStep(Plugin):
    """Takes columns from the row of another dataset that has the same key. Several such rows fail the run before it joins.

    A row without a partner keeps nulls, or the `default`, or is left out with `missing: drop`. To hold such
    rows back with a reason, give the source's contract a rule with `references`.

    ```yaml
    - lookup: {with: airlines, on: carrier, take: {airline: name}, default: {airline: unknown}}
    - lookup: {with: airports, on: {dest: faa}, take: [lat, lon], missing: drop}
    ```
    """

    kind: ClassVar[str] = "lookup"

    with_: Name = Field(alias="with", description="The other dataset")
    on: Mapping[Name, Name] | Names = Field(description="Columns of the same names, or `{ours: theirs}`", min_length=1)
    take: Mapping[Name, Name] | Names = Field(description="Their columns to take, or `{new name: theirs}`", min_length=1)
    default: Mapping[Name, Value] = Field(default_factory=dict, description="By new name, a value instead of null")
    missing: Annotated[Literal["null", "drop"], NullWord] = Field(
        "null", description="What becomes of a row without a partner: its new columns are null, or it is left out"
    )

    def apply(self, inputs: Mapping[str, Relation]) -> Relation:
        left, findings = inputs["input"], Findings()
        right = findings.dataset(inputs, self.with_, "with")
        if right is None:
            raise findings.error()
        matches = match_columns(self.on, left.schema, right.schema, self.with_, findings)
        taken = self._taken(left.schema, right.schema, findings)
        defaults = self._defaults(taken, findings)
        findings.settle()
        side, condition = partners(right, matches, taken)
        whole = self.missing == "null"
        schema = Schema((*left.schema, *(nullable(side.schema) if whole else side.schema)))
        joined = Join(schema, left, side, "left" if whole else "inner", condition, single=True)
        columns = as_they_are(left.schema)
        for name, of in taken.items():
            value: Expr = column(name, of.type)
            columns[name] = Call(of.type, "coalesce", (value, defaults[name])) if name in defaults else value
        never_null = {m.left.name for m in matches} if not whole else {c.name for c in left.schema if not c.nullable}
        return project(joined, columns, never_null | defaults.keys())

    def _taken(self, left: Schema, right: Schema, findings: Findings) -> dict[str, Column]:
        """Their columns by the names that they come out with."""
        taken = {}
        pairs = list(self.take.items() if isinstance(self.take, Mapping) else zip(self.take, self.take, strict=True))
        places = [new if isinstance(self.take, Mapping) else i for i, (new, _) in enumerate(pairs)]
        for (new, theirs), place in zip(pairs, places, strict=True):
            found = right.resolve(theirs)
            if found is None:
                trial = Findings()
                trial.column(right, theirs)
                findings.add(f"there is no column `{theirs}` in `{self.with_}`", "take", place, hint=trial.problems[0].hint)
            else:
                taken[new if isinstance(self.take, Mapping) else found.name] = found
        named = ((new, ("take", place)) for (new, _), place in zip(pairs, places, strict=True))
        findings.distinct(named, taken=left.names, on_key=isinstance(self.take, Mapping))
        return taken

    def _defaults(self, taken: Mapping[str, Column], findings: Findings) -> dict[str, Constant]:
        defaults = {}
        for name, written in self.default.items():
            if name not in taken:
                findings.add(
                    f"`{name}` is not among the columns to take",
                    "default",
                    name,
                    hint="take it, or leave the default out",
                    on_key=True,
                )
                continue
            value = findings.value(written, taken[name].type, "default", name)
            if value is not None and value.value is not None:
                defaults[name] = value
        return defaults
