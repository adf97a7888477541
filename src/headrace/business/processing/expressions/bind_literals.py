"""Numbers, texts and intervals as they are written in an expression."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal as Exact
from math import isinf
from typing import TYPE_CHECKING

from headrace.business.model.schema import did_you_mean
from headrace.business.model.types import Float, Integer, Interval, String
from headrace.business.processing.expressions.coercion import coerce
from headrace.business.processing.expressions.faults import BindError
from headrace.business.processing.expressions.ir import Call, Constant, Expr
from headrace.business.processing.expressions.iso import is_moment
from headrace.business.processing.expressions.number_types import WIDEST, decimal_of
from headrace.business.processing.expressions.operators import integer_type

if TYPE_CHECKING:
    from sqlglot import exp

__all__ = ["interval", "is_moment", "literal"]

#: The length of each unit: months, or seconds.
_UNITS: dict[str, tuple[int, float]] = {
    "microsecond": (0, 1e-6), "millisecond": (0, 1e-3), "second": (0, 1), "minute": (0, 60), "hour": (0, 3600), "day": (0, 86400),
    "week": (0, 604800), "month": (1, 0), "quarter": (3, 0), "year": (12, 0),
}  # fmt: skip
_CALLS = {"second": "to_seconds", "minute": "to_minutes", "hour": "to_hours", "day": "to_days", "week": "to_weeks", "month": "to_months",
          "year": "to_years"}  # fmt: skip
_SPAN = re.compile(r"\s*([+-]?\d+(?:\.\d+)?)\s*([A-Za-z]+)\s*")


def literal(node: exp.Expression) -> Constant:
    """A text, an integer of 32 bits or as many as it needs, a decimal of just its digits, or a float when it has an exponent."""
    if node.is_string:
        return Constant(String(), node.this)
    written = node.this
    if re.fullmatch(r"\d+", written):
        return Constant(integer_type(int(written)), int(written))
    if "e" in written.lower():
        return Constant(Float(64), _float(written))
    try:
        exact = Exact(written)
    except ArithmeticError:
        raise BindError(f"`{written}` is not a number") from None
    kind = decimal_of(exact)
    if kind.precision > WIDEST:
        raise BindError(f"this number has more than {WIDEST} digits", "write it with an exponent to have a float: `1e40`")
    return Constant(kind, exact)


def _float(written: str) -> float:
    try:
        number = float(written)
    except ValueError:
        raise BindError(f"`{written}` is not a number") from None
    if isinf(number):
        raise BindError(f"`{written}` is too large for a float")
    return number


def interval(node: exp.Expression, bind: Callable[[exp.Expression], Expr]) -> Expr:
    """`interval '3 days'`, `interval '1 year 2 months'`, `interval 3 day` or `interval (x) day`."""
    unit = node.args.get("unit")
    if node.this is None:
        raise BindError("an interval needs a length", "`interval '3 days'`")
    if node.this.key == "literal":
        return _written(f"{node.this.this} {unit.name if unit is not None else ''}")
    if unit is None:
        raise BindError("an interval of a column needs a unit", "`interval (x) day`, or `to_days(x)`")
    call = _CALLS.get(_unit(unit.name))
    if call is None:
        raise BindError(f"write `to_seconds(x)` or its like for intervals of {unit.name.lower()}s that come from a column")
    return Call(Interval(), call, (coerce(bind(node.this), Integer(64)),))


def _written(text: str) -> Expr:
    months, span, end = 0, timedelta(), 0
    for match in _SPAN.finditer(text):
        if match.start() != end:
            break
        end = match.end()
        count, (in_months, in_seconds) = match[1], _UNITS[_unit(match[2])]
        if in_months and "." in count:
            raise BindError("months and years are counted in whole numbers")
        months += in_months * int(count) if in_months else 0
        span += timedelta(microseconds=round(float(count) * in_seconds * 1_000_000))
    if end != len(text) or not text.strip():
        raise BindError(f"`{text.strip()}` is not an interval", "write `interval '3 days'` or `interval '1 year 2 months'`")
    if not months:
        return Constant(Interval(), span)
    calendar = Call(Interval(), "to_months", (Constant(Integer(64), months),))
    return Call(Interval(), "add", (calendar, Constant(Interval(), span))) if span else calendar


def _unit(word: str) -> str:
    name = word.lower().removesuffix("s")
    if name not in _UNITS:
        raise BindError(f"`{word.lower()}` is not a unit of time", did_you_mean(word, _UNITS))
    return name
