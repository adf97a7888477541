"""Checks that compare a number with the same number of earlier runs (see `validation.anomalies` for the formula)."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, Field

from headrace.business.model.durations import Duration
from headrace.business.model.references import Sql
from headrace.business.model.schema import Schema
from headrace.business.model.types import Null
from headrace.business.model.wording import Misworded
from headrace.business.ports import Measured, Verdict
from headrace.business.processing.expressions.ir import Expr
from headrace.business.validation.anomalies import ENOUGH, WEEK, Expectation, Tuning, expectation
from headrace.business.validation.checks.audit import AuditCheck, judged, nothing_to_judge, verdict
from headrace.business.validation.checks.bounds import Share
from headrace.business.validation.checks.measuring import narrowed, reading, rows
from headrace.business.validation.checks.wording import count, number


def _long_enough(history: Any) -> Any:
    if history < ENOUGH * WEEK:
        raise Misworded(f"a history must reach back at least {ENOUGH} weeks", "same weekdays are compared: write `8 weeks`")
    return history


class _Anomaly(AuditCheck):
    history: Annotated[Duration, AfterValidator(_long_enough)] = Field(
        Tuning().history, description="How far back to look", validate_default=True
    )
    sensitivity: Annotated[float, Field(gt=0)] = Field(
        Tuning().sensitivity, description="How many spreads from what was expected is too far; less finds more and alarms more"
    )
    floor: Share = Field(Decimal("0.03"), description="The least spread, as a share of what was expected")
    except_on: frozenset[date] = Field(
        frozenset(), description="Days (UTC) that are known to be unlike others: neither judged nor learnt from"
    )

    def judge(self, measured: Measured) -> Verdict:
        found = _number(measured.values.get("value"))
        if measured.now.date() in self.except_on:
            return nothing_to_judge(f"{_shown(found)}, on a day that is excepted", "", measured.values)
        expected = expectation(self._points(measured), measured.now, Tuning(self.history, self.sensitivity, float(self.floor)))
        if isinstance(expected, int):
            so_far = f"{count(expected, 'comparable run')} of {ENOUGH}"
            return verdict(
                "learning", f"{_shown(found)}, {so_far} so far", "like the same weekday in earlier runs", measured.values
            )
        words = f"{_shown(expected.low)} to {_shown(expected.high)}"
        values = {**measured.values, "expected": expected.value, "low": expected.low, "high": expected.high}
        if found is None:
            return judged(False, "no value", words, values)
        return judged(expected.holds(found), f"{_shown(found)}{_aside(found, expected)}", words, values)

    def _points(self, measured: Measured) -> Iterator[tuple[datetime, float]]:
        for when, values in measured.history:
            value = _number(values.get("value"))
            if value is not None and when.date() not in self.except_on:
                yield when, value

    @abstractmethod
    def measures(self, schema: Schema) -> Mapping[str, Expr]: ...


class RowCountAnomaly(_Anomaly):
    """Whether the number of rows is like that of earlier runs on the same weekday."""

    kind: ClassVar[str] = "row_count_anomaly"

    where: Sql | None = Field(None, description="Count only the rows for which this condition is true")

    def measures(self, schema: Schema) -> Mapping[str, Expr]:
        with reading(schema) as options:
            where = options.condition(self.where, "where")
        return {"value": rows(where)}


class Anomaly(_Anomaly):
    """Whether any number about the dataset is like that of earlier runs on the same weekday."""

    kind: ClassVar[str] = "anomaly"
    shorthand: ClassVar[str | None] = "measure"

    measure: str = Field(description="A number over aggregates", examples=["avg(dep_delay)", "count(distinct carrier)"])
    where: Sql | None = Field(None, description="Let the aggregates see only the rows for which this condition is true")

    def measures(self, schema: Schema) -> Mapping[str, Expr]:
        with reading(schema) as options:
            where = options.condition(self.where, "where")
            measure = options.aggregate(self.measure, "measure")
            if not measure.type.is_number and not isinstance(measure.type, Null):
                options.refuse(f"this must be a number, and it is of type {measure.type}", ("measure",))
        return {"value": narrowed(measure, where)}


def _number(value: Any) -> float | None:
    """A measured number, also when it was kept as text; None for what is no finite number."""
    try:
        found = float(value)
    except (TypeError, ValueError):
        return None
    return found if math.isfinite(found) else None


def _shown(value: float | None) -> str:
    return "no value" if value is None else number(round(value) if abs(value) >= 1_000 else float(f"{value:.4g}"))


def _aside(found: float, expected: Expectation) -> str:
    """By how much it is off, in percent of what was expected."""
    if expected.holds(found) or not expected.value:
        return ""
    off = (found - expected.value) / abs(expected.value)
    return f" ({abs(off):.0%} {'more' if off > 0 else 'less'} than expected)"
