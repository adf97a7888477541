"""Values as Spark's SQL writes them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as Exact
from typing import Any

from headrace.business.model.types import DataType, Decimal, Float, Integer, Json, List, Null, String, Struct, Timestamp
from headrace.infrastructure.engines.spark.naming import text
from headrace.infrastructure.engines.spark.types import spark_type


def literal(value: Any, kind: DataType) -> str:
    """A value of that type."""
    if value is None:
        return "NULL" if isinstance(kind, Null) else f"CAST(NULL AS {spark_type(kind)})"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return text(value) if isinstance(kind, String | Json) else f"CAST({text(value)} AS {spark_type(kind)})"
    if isinstance(kind, Integer | Float | Decimal):
        return _number(value, kind)
    if isinstance(value, bytes | bytearray):
        return f"X'{value.hex().upper()}'"
    if isinstance(value, timedelta):
        return _span(value)
    if isinstance(value, date):
        return _moment(value, kind)
    return _nested(value, kind)


def _number(value: float | Exact, kind: DataType) -> str:
    if isinstance(kind, Float):
        number = float(value)
        if not math.isfinite(number):
            return f"CAST('{number}' AS {spark_type(kind)})"
        return f"CAST('{number!r}' AS {spark_type(kind)})" if kind.bits == 32 or number <= 0 else f"{number!r}D"
    if isinstance(kind, Decimal):
        return f"CAST('{Exact(value):f}' AS {spark_type(kind)})"
    if kind == Integer(32) and 0 <= value <= 2**31 - 1:
        return str(int(value))
    return f"CAST('{int(value)}' AS {spark_type(kind)})"


def _moment(value: date, kind: DataType) -> str:
    """An instant is written on the clock of UTC."""
    if isinstance(value, datetime) and value.tzinfo is not None:
        value = value.astimezone(UTC).replace(tzinfo=None)
    suffix = "+00:00" if isinstance(kind, Timestamp) and kind.zone else ""
    written = value.isoformat(" ") if isinstance(value, datetime) else value.isoformat()
    return f"CAST('{written}{suffix}' AS {spark_type(kind)})"


def _span(value: timedelta) -> str:
    seconds = f"{value.seconds}.{value.microseconds:06d}"
    return f"make_interval(0, 0, 0, {value.days}, 0, 0, {seconds})"


def _nested(value: Any, kind: DataType) -> str:
    if isinstance(kind, List):
        return f"CAST(array({', '.join(literal(item, kind.item) for item in value)}) AS {spark_type(kind)})"
    if isinstance(kind, Struct) and isinstance(value, Mapping):
        fields = ", ".join(f"{text(name)}, {literal(value.get(name), field)}" for name, field in kind.fields)
        return f"named_struct({fields})"
    raise TypeError(f"{type(value).__name__} is not a value of {kind}")
