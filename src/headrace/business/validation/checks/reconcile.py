"""Whether a dataset agrees with another one, or with a target: the same count, sum or other aggregate on both sides."""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any, ClassVar, Self

from pydantic import Field, model_validator

from headrace.business.model.schema import Schema
from headrace.business.model.wording import Misworded
from headrace.business.ports import Measured, Verdict, When
from headrace.business.processing.expressions.ir import Expr
from headrace.business.validation.checks.audit import AuditCheck, judged, nothing_to_judge
from headrace.business.validation.checks.bounds import Share
from headrace.business.validation.checks.measuring import reading
from headrace.business.validation.checks.wording import number, percent


class Reconcile(AuditCheck):
    """Whether an aggregate is the same here and in another dataset, or in the target of a sink, or differs by no more than is tolerated.

    The tolerance is counted from the other side's value and belongs to it. Integers and decimals are compared exactly.
    NaN agrees with nothing. When both sides are null, as sums over no rows are, there is nothing to judge.

    The name of a sink means the rows of its target, whoever wrote them; of scd2 the versions that are valid now. `when: after` is
    what the target will hold once this run is published: the dataset in `replace`; the rows there and those of the dataset in `append`;
    in `merge` and `scd2` the dataset, and the rows there whose key it does not have (none, with `deleted: close`). It is worked out
    before anything is published, so a check that fails keeps the target as it is. `when: before` is what the target holds now, as
    the last publication left it, or whoever changed it since; while there is no target, there is nothing to judge. The columns that
    are measured are read from the target in the types that they have in the dataset. In `headrace test` no target exists.
    """

    kind: ClassVar[str] = "reconcile"

    against: str = Field(
        description="The other dataset: a source, by its good rows, or a step; or a sink, by what its target holds"
    )
    when: When | None = Field(
        None,
        description="Of a sink: what its target holds `before` this run is published, or `after`, which is meant unless said",
    )
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

    @property
    def of_target(self) -> When | None:
        return self.when

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
        expected = f"as in `{self.against}`{f' {self.when}' if self.when else ''}" + self._tolerance()
        if "there" not in found:
            return nothing_to_judge(f"there is nothing yet where `{self.against}` publishes", expected, found)
        here, there = found["here"], found["there"]
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
