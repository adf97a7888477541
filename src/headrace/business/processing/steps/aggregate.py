"""The step `aggregate`: one row for each group of rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import ClassVar

from pydantic import Field

from headrace.business.model.plugin import Plugin
from headrace.business.model.schema import Schema, did_you_mean
from headrace.business.processing.expressions.ir import Aggregate, ColumnRef, Expr
from headrace.business.processing.relation import GroupBy, Relation, columns_of
from headrace.business.processing.steps.findings import Findings
from headrace.business.processing.steps.options import Expression, Name, Names
from headrace.business.processing.steps.projection import ref

#: Aggregates that have a value even when there is nothing to aggregate.
COUNTS = ("count", "count_if", "approx_count_distinct")


class AggregateStep(Plugin):
    """Gives one row for each group of equal values (nulls are equal here), with measures over its rows; one row in all
    when there is no `by`.

    ```yaml
    - aggregate:
        by: [carrier, origin]
        measures: {flights: count(*), late: count(*) filter (where dep_delay > 15), mean_delay: avg(dep_delay)}
    - aggregate: {by: {month: "date_trunc('month', time_hour)"}, measures: {miles: sum(distance)}}
    ```
    """

    kind: ClassVar[str] = "aggregate"

    by: Mapping[Name, Expression] | Names = Field((), description="The columns that make a group, or expressions by name")
    measures: Mapping[Name, Expression] = Field(
        default_factory=dict, description="By name, an expression with aggregates such as `sum(distance)`"
    )

    def apply(self, inputs: Mapping[str, Relation]) -> Relation:
        below, findings = inputs["input"], Findings()
        if not self.by and not self.measures:
            findings.add(
                "say what makes a group with `by`, or what to measure", hint="for example `measures: {rows: count(*)}`"
            )
        keys = self._keys(below.schema, findings)
        measures = read_measures(self.measures, below.schema, keys, findings, "measures")
        findings.distinct(((name, ("measures", name)) for name in self.measures), taken=keys)
        findings.settle()
        return group(below, keys, measures)

    def _keys(self, schema: Schema, findings: Findings) -> dict[str, Expr]:
        if not isinstance(self.by, Mapping):
            return {c.name: ref(c) for c in findings.columns(schema, self.by, "by")}
        findings.distinct((name, ("by", name)) for name in self.by)
        read = {name: findings.expression(text, schema, "by", name) for name, text in self.by.items()}
        return {name: e for name, e in read.items() if e is not None}


def read_measures(
    texts: Mapping[str, str], schema: Schema, keys: Mapping[str, Expr], findings: Findings, *path: str | int
) -> dict[str, Expr]:
    """The expressions of measures. Outside of aggregates they may use the columns that make the groups, and no others."""
    grouped = {e.name for e in keys.values() if isinstance(e, ColumnRef)}
    measures = {}
    for name, text in texts.items():
        expression = findings.expression(text, schema, *path, name, aggregates=True)
        if expression is None:
            continue
        for column in dict.fromkeys(_bare(expression)):
            if column not in grouped:
                hint = f"write for example `max({column})`, or put it into `by`"
                if grouped and not any(isinstance(e, Aggregate) for e in expression.walk()):
                    hint = f"{hint} ({did_you_mean(column, sorted(grouped))})"
                findings.add(f"`{column}` has many values in a group", *path, name, hint=hint, offset=max(text.find(column), 0))
        measures[name] = expression
    return measures


def group(below: Relation, keys: Mapping[str, Expr], measures: Mapping[str, Expr]) -> GroupBy:
    pairs, measured = tuple(keys.items()), tuple(measures.items())
    never_null = {name for name, e in measured if isinstance(e, Aggregate) and e.function in COUNTS}
    schema = columns_of((*pairs, *measured), below.schema)
    return GroupBy(
        Schema(tuple(replace(c, nullable=False) if c.name in never_null else c for c in schema)), below, pairs, measured
    )


def _bare(expression: Expr) -> Iterator[str]:
    """The columns that an expression reads outside of its aggregates."""
    if isinstance(expression, Aggregate):
        return
    if isinstance(expression, ColumnRef) and not expression.outer:
        yield expression.name
    for child in expression.children():
        yield from _bare(child)
