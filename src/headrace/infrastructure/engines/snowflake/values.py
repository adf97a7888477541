"""The values that the driver gives, as the values of our types that every engine gives. Not how a value is stored."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal as Exact
from typing import Any

from headrace.business.model.types import DataType, Decimal, Float, Integer, Timestamp


def in_python(value: Any, kind: DataType) -> Any:
    if value is None:
        return None
    match kind:
        case Integer():
            return int(value)
        case Float():
            return float(value)
        case Decimal():
            return Exact(value)
        case Timestamp(zone=False) if isinstance(value, datetime):
            return value.replace(tzinfo=None)
    return value
