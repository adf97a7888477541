"""Whether a dataset agrees with another one: the same count, sum or other aggregate on both sides."""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any, ClassVar, Self

from pydantic import Field, model_validator

from headrace.business.model.schema import Schema
from headrace.business.model.wording import Misworded
from headrace.business.ports import Measured, Verdict
from headrace.business.processing.expressions.ir import Expr
from headrace.business.validation.checks.audit import AuditCheck, judged, nothing_to_judge
from headrace.business.validation.checks.bounds import Share
from headrace.business.validation.checks.measuring import reading
from headrace.business.validation.checks.wording import number, percent


class Reconcile(AuditCheck):
    """Whether an aggregate is the same here and in another dataset, or differs by no more than is tolerated.

    The tolerance is counted from the other dataset's value and belongs to it. Integers and decimals are compared exactly.
    NaN agrees with nothing. When both sides are null, as sums over no rows are, there is nothing to judge.
    """

    kind: ClassVar[str] = "reconcile"

    against: str = Field(description="The other dataset: a source, by its good rows, or a step")
    measure: str = Field("count(*)", description="What to compare: an expression over aggregates", examples=["sum(amount)"])
    other_measure: str | None = Field(None, description="The same for the other dataset, when it is called differently there")
    within: Decimal | None = Field(None, ge=0, description="Tolerate a difference up to this")
    within_share: Share | None = Field(None, description="Tolerate a difference up to this share of the other value")

    @model_validator(mode="after")
    def _one_tolerance(self) -> Self:
        if self.within is not None and self.within_share is not None:
            raise Misworded("`within` and `within_share` both say what to tolerate", "give one of them")
        return self

    @property
    def other(self) -> str:
        return self.against

    def measures(self, schema: Schema) -> Mapping[str, Expr]:
        return {"here": self._measure(schema, self.measure, "measure")}

    def other_measures(self, schema: Schema) -> Mapping[str, Expr]:
        if self.other_measure is not None:
            return {"there": self._measure(schema, self.other_measure, "other_measure")}
        return {"there": self._measure(schema, self.measure, "measure")}

    def _measure(self, schema: Schema, text: str, path: str) -> Expr:
        with reading(schema) as options:
            measure = options.aggregate(text, path)
            tolerant = self.within is not None or self.within_share is not None
            if tolerant and not options.problems and not measure.type.is_number:
                options.refuse(f"only numbers can differ by a little, and this is of type {measure.type}", (path,))
        return measure

    def judge(self, measured: Measured) -> Verdict:
        found = measured.values
        here, there = found["here"], found["there"]
        expected = f"as in `{self.against}`" + self._tolerance()
        if here is None and there is None:
            return nothing_to_judge("no values on both sides", expected, found)
        observed = f"{number(here)} here, {number(there)} in `{self.against}`"
        if here is None or there is None:
            return judged(False, observed, expected, found)
        if here == there:
            return judged(True, observed, expected, found)
        difference = _difference(here, there)
        if difference is None:
            return judged(False, observed, expected, found)
        observed += f" (differ by {number(_shown(difference))})"
        return judged(difference <= self._allowed(there), observed, expected, {**found, "difference": float(difference)})

    def _tolerance(self) -> str:
        if self.within is not None:
            return f", within {number(self.within)}"
        return f", within {percent(self.within_share)}" if self.within_share is not None else ""

    def _allowed(self, there: Any) -> Fraction:
        if self.within is not None:
            return Fraction(self.within)
        return Fraction(self.within_share or 0) * abs(Fraction(there))


def _difference(here: Any, there: Any) -> Fraction | None:
    """How far apart two numbers are, exactly; None for what is no finite number."""
    if not all(isinstance(v, int | float | Decimal) and math.isfinite(v) for v in (here, there)):
        return None
    return abs(Fraction(here) - Fraction(there))


def _shown(difference: Fraction) -> int | float:
    return int(difference) if difference.denominator == 1 else float(difference)
