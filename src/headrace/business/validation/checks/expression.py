"""A check that says in one expression what a whole dataset must be like."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from headrace.business.model.references import Sql
from headrace.business.model.schema import Schema
from headrace.business.model.types import Boolean, Null
from headrace.business.ports import Measured, Verdict
from headrace.business.processing.expressions.ir import Aggregate, ColumnRef, Expr
from headrace.business.validation.checks.audit import AuditCheck, judged, nothing_to_judge
from headrace.business.validation.checks.measuring import narrowed, reading
from headrace.business.validation.checks.wording import number

_HOLDS = "holds"


class Expression(AuditCheck):
    """Whether a condition over aggregates is true. When it is null, as sums over no rows are, there is nothing to judge."""

    kind: ClassVar[str] = "expression"
    shorthand: ClassVar[str | None] = "condition"

    condition: Sql = Field(description="A condition over aggregates", examples=["sum(amount) > 0 and count(*) < 10_000"])
    where: Sql | None = Field(None, description="Let the aggregates see only the rows for which this is true")

    def measures(self, schema: Schema) -> Mapping[str, Expr]:
        """Whether it holds, and the value of each aggregate in it, to be shown."""
        with reading(schema) as options:
            where = options.condition(self.where, "where")
            condition = options.aggregate(self.condition, "condition")
            if not isinstance(condition.type, Boolean | Null):
                hint = "compare it with something, such as `... > 0`"
                options.refuse(f"this must be true or false, and it is of type {condition.type}", ("condition",), hint)
        return {_HOLDS: narrowed(condition, where), **{name: narrowed(e, where) for name, e in _aggregates(condition).items()}}

    def judge(self, measured: Measured) -> Verdict:
        holds = measured.values[_HOLDS]
        parts = [f"{name} = {number(value)}" for name, value in measured.values.items() if name != _HOLDS]
        observed = ", ".join(parts) or number(holds)
        if holds is None:
            return nothing_to_judge(f"neither true nor false: {observed}", self.condition, measured.values)
        return judged(holds, observed, self.condition, measured.values)


def _aggregates(condition: Expr) -> dict[str, Aggregate]:
    """The different aggregates of a condition, by names that people recognise."""
    named: dict[str, Aggregate] = {}
    for node in condition.walk():
        if isinstance(node, Aggregate) and node not in named.values():
            name = _name(node)
            named[name if name not in named else f"{name} #{len(named) + 1}"] = node
    return named


def _name(node: Aggregate) -> str:
    inside = ", ".join(arg.name if isinstance(arg, ColumnRef) else "..." for arg in node.args) or "*"
    return f"{node.function}({'distinct ' if node.distinct else ''}{inside})" + (" of some rows" if node.where else "")
