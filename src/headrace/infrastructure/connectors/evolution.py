"""Decides whether rows of one schema may go to a target that has another. Not how the target is changed.

Columns that the target lacks are added to it and may be null. Columns that the rows lack become null in the rows that are
inserted, and stay what they are in rows that are updated. A column of both must lose nothing on its way into the target's
type. Everything else is an error before anything is touched.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from headrace.business.model.schema import Column, Schema
from headrace.business.model.types import DataType, Decimal, Enum, Float, Integer, List, Null, String, Struct
from headrace.errors import NonRetryableError

#: A type in the target's own words.
T = TypeVar("T")


def added_columns(
    target: str, existing: Mapping[str, T], schema: Schema, accepts: Callable[[T, DataType], bool]
) -> tuple[Column, ...]:
    """The columns that `existing` (type by column) lacks for rows of `schema`. Raises when it cannot take them."""
    there = {name.lower(): name for name in existing}
    spelt = [(c.name, there[c.name.lower()]) for c in schema if c.name not in existing and c.name.lower() in there]
    if spelt:
        listed = "; ".join(f"`{here}` is `{name}` there" for here, name in spelt)
        raise NonRetryableError(
            f"{target}: columns differ from those that are there in case alone: {listed}", hint="rename them in a step"
        )
    clashes = [c for c in schema if c.name in existing and not accepts(existing[c.name], c.type)]
    if clashes:
        listed = "; ".join(f"`{c.name}` is {existing[c.name]} there and {c.type} here" for c in clashes)
        raise NonRetryableError(
            f"{target}: the rows do not fit the columns that are there: {listed}",
            hint="cast the columns in a step, or change the target",
        )
    return tuple(c for c in schema if c.name not in existing)


def fits(kind: DataType, into: DataType) -> bool:
    """Whether every value of one type is a value of the other, exactly."""
    if kind == into or isinstance(kind, Null):
        return True
    match kind, into:
        case Integer(), Integer():
            return into.lowest <= kind.lowest and kind.highest <= into.highest
        case Integer(), Decimal():
            return max(-kind.lowest, kind.highest) < int(10 ** (into.precision - into.scale))
        case Integer(), Float():
            return kind.highest <= (2**53 if into.bits == 64 else 2**24)
        case Float(), Float():
            return kind.bits <= into.bits
        case Decimal(), Decimal():
            return kind.scale <= into.scale and kind.precision - kind.scale <= into.precision - into.scale
        case List(), List():
            return fits(kind.item, into.item)
        case Struct(), Struct():
            pairs = list(zip(kind.fields, into.fields, strict=False))
            return len(kind.fields) == len(into.fields) and all(a[0] == b[0] and fits(a[1], b[1]) for a, b in pairs)
    return isinstance(kind, Enum) and isinstance(into, String)
