"""Bounds of what a check may observe: one at each end, with or without the bound itself. Compared exactly, NaN within none."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

from headrace.business.model.contract import Scalar
from headrace.business.model.types import DataType, Date, Enum, String, Time, Timestamp
from headrace.business.model.types import Decimal as DecimalType
from headrace.business.model.types import Float as FloatType
from headrace.business.model.types import Integer as IntegerType
from headrace.business.model.wording import Misworded
from headrace.business.validation.checks.wording import number
from headrace.records import record


@record
class Bounds:
    """What a value must be; a bound that is None does not bind."""

    at_least: Any = None
    above: Any = None
    at_most: Any = None
    below: Any = None

    def hold(self, value: Any) -> bool:
        """Whether the value lies within. Beside a decimal the bound `0.1` means 0.1, not the nearest float."""
        if isinstance(value, float) and math.isnan(value):
            return False
        return (
            (self.at_least is None or value >= alike(self.at_least, value))
            and (self.above is None or value > alike(self.above, value))
            and (self.at_most is None or value <= alike(self.at_most, value))
            and (self.below is None or value < alike(self.below, value))
        )

    def words(self, show: Callable[[Any], str] = number) -> str:
        low, high = self.at_least is not None, self.at_most is not None
        if low and high:
            return show(self.at_least) if self.at_least == self.at_most else f"{show(self.at_least)} to {show(self.at_most)}"
        parts = [(self.at_least, "at least"), (self.above, "more than"), (self.at_most, "at most"), (self.below, "less than")]
        return " and ".join(f"{word} {show(bound)}" for bound, word in parts if bound is not None)


def alike(bound: Any, value: Any) -> Any:
    """The bound as a value that compares exactly with this one. Raises `TypeError` or `ValueError` when it never could."""
    match value:
        case bool():
            pass
        case int() | Decimal() if isinstance(bound, float | str):
            return Decimal(str(bound))
        case float() if isinstance(bound, Decimal | str):
            return float(bound)
        case datetime():
            return _moment(bound, value)
        case date() if isinstance(bound, str):
            return date.fromisoformat(bound)
        case time() if isinstance(bound, str):
            return time.fromisoformat(bound)
    return bound


def _moment(bound: Any, value: datetime) -> datetime:
    """A date means its midnight; without a zone beside an instant, UTC is meant."""
    moment: datetime = datetime.fromisoformat(bound) if isinstance(bound, str) else bound
    if not isinstance(moment, datetime):
        moment = datetime.combine(bound, time())
    if moment.tzinfo is None and value.tzinfo is not None:
        return moment.replace(tzinfo=UTC)
    return moment


#: A value of each type, to try a bound against before there are data.
_SAMPLES: tuple[tuple[type[DataType], Any], ...] = (
    (IntegerType, 0),
    (DecimalType, Decimal(0)),
    (FloatType, 0.0),
    (Date, date(2000, 1, 1)),
    (Time, time()),
    (String, ""),
    (Enum, ""),
)


def misfit(bound: Any, kind: DataType) -> str | None:
    """Why a bound can never be compared with values of a type."""
    sample = next((value for of, value in _SAMPLES if isinstance(kind, of)), None)
    if isinstance(kind, Timestamp):
        sample = datetime.fromisoformat("2000-01-01T00:00:00+00:00" if kind.zone else "2000-01-01T00:00:00")
    wrong = f"{number(bound)} cannot be compared with values of type {kind}"
    if sample is None or isinstance(bound, bool) or (isinstance(bound, datetime) and isinstance(kind, Date)):
        return wrong
    try:
        _ = sample < alike(bound, sample)
    except (TypeError, ValueError, InvalidOperation):
        return wrong
    return None


def bounds(
    at_least: Any, above: Any, at_most: Any, below: Any, between: tuple[Any, Any] | None, names: tuple[str, str]
) -> Bounds:
    """The bounds that options give; `names` are their words for the lowest and the highest value. Raises `Misworded`."""
    low, high = names
    if between is not None:
        if any(bound is not None for bound in (at_least, above, at_most, below)):
            raise Misworded(f"`between` already says what `{low}`, `above`, `{high}` and `below` would")
        at_least, at_most = between
    if at_least is not None and above is not None:
        raise Misworded(f"`{low}` and `above` both bound it from below", "give one of them")
    if at_most is not None and below is not None:
        raise Misworded(f"`{high}` and `below` both bound it from above", "give one of them")
    found = Bounds(at_least, above, at_most, below)
    if found == Bounds():
        raise Misworded("a check needs at least one bound", f"give `{low}`, `{high}`, `above`, `below` or `between`")
    _refuse_crossed(found)
    return found


def _refuse_crossed(found: Bounds) -> None:
    lowest = found.at_least if found.at_least is not None else found.above
    highest = found.at_most if found.at_most is not None else found.below
    if any(isinstance(bound, float | Decimal) and math.isnan(bound) for bound in (lowest, highest)):
        raise Misworded("NaN is no bound: nothing compares with it")
    if lowest is None or highest is None:
        return
    try:
        crossed = lowest > alike(highest, lowest)
    except (TypeError, ValueError, InvalidOperation):
        raise Misworded(f"{number(lowest)} and {number(highest)} cannot be compared with each other") from None
    if crossed:
        raise Misworded(f"the lower bound {number(lowest)} is greater than the upper bound {number(highest)}")


def _share(written: Any) -> Any:
    hint = "write a share from 0 to 1 such as `0.03`, or a percentage such as `3%`"
    if isinstance(written, str) and written.strip().endswith("%"):
        try:
            share = Decimal(written.strip().removesuffix("%").strip()) / 100
        except InvalidOperation:
            raise Misworded(f"`{written}` is not a percentage", hint) from None
    elif isinstance(written, int | float | Decimal) and not isinstance(written, bool):
        share = Decimal(str(written))
    else:
        raise Misworded(f"`{written}` is not a share", hint)
    if isinstance(written, int) and written == 1:
        raise Misworded("`1` may mean all of it or one percent", "write `100%` or `1%`")
    if not share.is_finite() or not 0 <= share <= 1:
        raise Misworded(f"`{written}` is not a share", hint)
    return share


#: A share of rows: `0.03` or `3%`, kept exactly.
Share = Annotated[
    Decimal,
    BeforeValidator(_share),
    PlainSerializer(float, return_type=float, when_used="json"),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "minimum": 0, "maximum": 1},
                {"type": "string", "pattern": r"^\s*[0-9]+(\.[0-9]+)?\s*%\s*$"},
            ],
            "description": "A share from 0 to 1, or a percentage",
            "examples": [0.03, "3%"],
        }
    ),
]

#: How many rows or values.
Count = Annotated[int, Field(ge=0, strict=True)]

#: A bound for values of any type that has an order.
Bound = Scalar
