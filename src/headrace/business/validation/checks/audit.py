"""What all checks of an audit have in common: what happens when they fail, and bounds as options. Not what they measure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from headrace.business.model.plugin import Plugin
from headrace.business.model.stream import Some
from headrace.business.model.wording import Misworded
from headrace.business.ports import Outcome, Verdict
from headrace.business.validation.checks.bounds import Bound, Bounds, Count, Share, bounds
from headrace.business.validation.checks.wording import percent


class AuditCheck(Plugin):
    """A check on a staged dataset, before anything is published."""

    on_fail: Literal["block", "warn"] = Field(
        "block", description="Whether a failure keeps the run from publishing, or is only shown"
    )
    per: Some | None = Field(None, description="In a stream: how long the windows of event time are, each of which is judged")


class CountLimits(AuditCheck):
    """Options that bound a number of rows or values."""

    min: Count | None = Field(None, description="At least so many")
    max: Count | None = Field(None, description="At most so many")
    above: Count | None = Field(None, description="More than so many")
    below: Count | None = Field(None, description="Fewer than so many")
    between: tuple[Count, Count] | None = Field(None, description="From the first to the second, both included")
    recover: Count | None = Field(
        None, description="Once above `max`, go on failing until it is down to this; for `on_fail: warn`"
    )

    @property
    def bounds(self) -> Bounds:
        return bounds(self.min, self.above, self.max, self.below, self.between, ("min", "max"))

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        _refuse_recovery(self.recover, self.bounds, self.on_fail)
        return self


class ShareLimits(AuditCheck):
    """Options that bound a share of rows."""

    min: Share | None = Field(None, description="At least this share")
    max: Share | None = Field(None, description="At most this share")
    above: Share | None = Field(None, description="More than this share")
    below: Share | None = Field(None, description="Less than this share")
    between: tuple[Share, Share] | None = Field(None, description="From the first to the second, both included")
    recover: Share | None = Field(
        None, description="Once above `max`, go on failing until it is down to this; for `on_fail: warn`"
    )

    @property
    def bounds(self) -> Bounds:
        return bounds(self.min, self.above, self.max, self.below, self.between, ("min", "max"))

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        _refuse_recovery(self.recover, self.bounds, self.on_fail)
        return self


def _refuse_recovery(recover: Any, limits: Bounds, on_fail: str) -> None:
    if recover is None:
        return
    if on_fail != "warn":
        raise Misworded("`recover` is for checks that warn: a run that was blocked is not remembered", "add `on_fail: warn`")
    if limits.at_most is None or recover >= limits.at_most:
        raise Misworded(
            "`recover` needs a `max` that is greater", "a check with `max: 5%` and `recover: 3%` fails until it is down to 3 %"
        )


class ValueLimits(AuditCheck):
    """Options that bound a value of a column's type."""

    at_least: Bound | None = Field(None, description="This or more")
    at_most: Bound | None = Field(None, description="This or less")
    above: Bound | None = Field(None, description="More than this")
    below: Bound | None = Field(None, description="Less than this")
    between: tuple[Bound, Bound] | None = Field(None, description="From the first to the second, both included")

    @property
    def bounds(self) -> Bounds:
        return bounds(self.at_least, self.above, self.at_most, self.below, self.between, ("at_least", "at_most"))

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        _ = self.bounds
        return self


def judged(holds: bool, observed: str, expected: str, values: Mapping[str, Any]) -> Verdict:
    return verdict("pass" if holds else "fail", observed, expected, values)


def nothing_to_judge(observed: str, expected: str, values: Mapping[str, Any]) -> Verdict:
    """For a check that has no rows or values to look at. Whether there must be any is for `row_count` to say."""
    return verdict("skipped", observed, expected, values)


def verdict(outcome: Outcome, observed: str, expected: str, values: Mapping[str, Any]) -> Verdict:
    """A verdict, with values that can be kept with the run: what is no plain number, text or truth becomes text."""
    return Verdict(outcome, observed, expected, {name: _kept(value) for name, value in values.items()})


def _kept(value: Any) -> Any:
    plain = value is None or isinstance(value, bool | int | str) or (isinstance(value, float) and math.isfinite(value))
    return value if plain else str(value)


def remembering(limits: Bounds, recover: Any, earlier: Iterable[Any]) -> Bounds:
    """The bounds that hold after these values, oldest first: tighter while a failure has not been recovered from."""
    tight = replace(limits, at_most=recover)
    current = limits
    for value in earlier if recover is not None else ():
        current = limits if current.hold(value) else tight
    return current


def share_judged(part: int, whole: int, limits: Bounds, values: Mapping[str, Any]) -> Verdict:
    """Judge a share of rows, exactly: 3 of 100 rows are within `max: 3%`."""
    expected = limits.words(lambda bound: percent(Fraction(bound)))
    if whole == 0:
        return nothing_to_judge("no rows", expected, values)
    share = Fraction(part, whole)
    observed = f"{percent(share)} ({part:,} of {whole:,} rows)"
    return judged(limits.hold(share), observed, expected, {**values, "share": float(share)})


def exactly(limits: Bounds) -> Bounds:
    """The same bounds as fractions, which compare exactly with shares."""
    exact = [None if b is None else Fraction(b) for b in (limits.at_least, limits.above, limits.at_most, limits.below)]
    return Bounds(*exact)
