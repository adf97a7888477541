"""A check that compares how many rows a window of a stream has with the windows before it."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from statistics import median
from typing import Annotated, ClassVar

from pydantic import Field

from headrace.business.model.references import Sql
from headrace.business.model.schema import Schema
from headrace.business.model.stream import Some
from headrace.business.ports import Measured, Verdict
from headrace.business.processing.expressions.ir import Expr
from headrace.business.validation.anomalies import ENOUGH, NORMAL
from headrace.business.validation.checks.audit import AuditCheck, judged, verdict
from headrace.business.validation.checks.bounds import Share
from headrace.business.validation.checks.measuring import reading, rows
from headrace.business.validation.checks.wording import count, number


class RateAnomaly(AuditCheck):
    """Whether a window of a stream has about as many rows as the windows before it. A window without rows has 0.

    Usual is the median of the windows before, far from it is more than `sensitivity` times their spread: their median absolute deviation
    times 1.4826, and at least `floor` of what is usual. Nearly half of them may be unusual themselves before that misleads.
    """

    kind: ClassVar[str] = "rate_anomaly"

    per: Some = Field(description="How long the windows of event time are")
    windows: Annotated[int, Field(ge=ENOUGH, le=1000)] = Field(
        30, description="With how many windows before it one is compared"
    )
    sensitivity: Annotated[float, Field(gt=0)] = Field(
        4.0, description="How many spreads from what is usual is too far; less finds more and alarms more"
    )
    floor: Share = Field(Decimal("0.1"), description="The least spread, as a share of what is usual")
    where: Sql | None = Field(None, description="Count only the rows for which this condition is true")

    def measures(self, schema: Schema) -> Mapping[str, Expr]:
        with reading(schema) as options:
            where = options.condition(self.where, "where")
        return {"rows": rows(where)}

    def judge(self, measured: Measured) -> Verdict:
        found = measured.values["rows"]
        before = [int(values["rows"]) for _, values in measured.history][-self.windows :]
        if len(before) < ENOUGH:
            so_far = f"{count(len(before), 'window')} of {ENOUGH} so far"
            return verdict("learning", f"{count(found, 'row')}, {so_far}", "like the windows before", measured.values)
        usual = median(before)
        spread = max(NORMAL * median(abs(value - usual) for value in before), float(self.floor) * usual)
        low, high = usual - self.sensitivity * spread, usual + self.sensitivity * spread
        words = f"{number(max(round(low), 0))} to {number(round(high))} rows"
        return judged(low <= found <= high, count(found, "row"), words, {**measured.values, "expected": usual})
