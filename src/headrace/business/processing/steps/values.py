"""Values that stand in a definition, as expressions: what YAML or Python has read becomes a constant of the tightest type."""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal as Exact
from typing import Any

from headrace.business.model.types import Boolean, Date, Float, Integer, Null, String, Time, Timestamp
from headrace.business.processing.expressions.ir import Constant
from headrace.business.processing.expressions.number_types import decimal_of


def constant_of(written: Any) -> Constant:
    """The constant that a written value is. Numbers with a point are exact, as they are in SQL; only NaN and infinities are floats."""
    match written:
        case None:
            return Constant(Null(), None)
        case bool():
            return Constant(Boolean(), written)
        case int():
            return Constant(Integer(64) if -(2**63) <= written < 2**63 else Integer(128), written)
        case float() if written - written != 0:
            return Constant(Float(64), written)
        case float():
            return constant_of(Exact(repr(written)))
        case Exact():
            return Constant(decimal_of(written), written)
        case datetime():
            return Constant(Timestamp(written.tzinfo is not None), written)
        case date():
            return Constant(Date(), written)
        case time():
            return Constant(Time(), written)
        case _:
            return Constant(String(), str(written))


def label_of(written: Any) -> str:
    """A value as the name of a column."""
    if written is None:
        return "null"
    return str(written).lower() if isinstance(written, bool) else str(written)
