"""Names and values as PostgreSQL's SQL writes them. The only place where either becomes text, so nothing is ever spliced raw."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal as Exact
from typing import Any

from headrace.business.model.types import DataType, Decimal, Float, Integer, List, Null, String, Timestamp
from headrace.infrastructure.engines.postgres.types import postgres_type

#: PostgreSQL cuts off what is longer, and two names may become one.
LONGEST_NAME = 63


def identifier(name: str) -> str:
    """A name, always quoted. No name has a NUL in it; PostgreSQL could not keep one."""
    return '"' + name.replace("\0", "").replace('"', '""') + '"'


def literal(value: Any, kind: DataType) -> str:
    """A value of that type. A text with a NUL has to be refused before (see `problems`)."""
    if value is None:
        return "NULL" if isinstance(kind, Null) else f"CAST(NULL AS {postgres_type(kind)})"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return text(value) if isinstance(kind, String) else f"CAST({text(value)} AS {postgres_type(kind)})"
    if isinstance(kind, Integer | Float | Decimal):
        return _number(value, kind)
    if isinstance(value, bytes | bytearray):
        return f"decode('{value.hex()}', 'hex')"
    if isinstance(value, timedelta):
        return _span(value)
    if isinstance(value, date | time):
        return _moment(value, kind)
    if isinstance(kind, List):
        return f"CAST(ARRAY[{', '.join(literal(item, kind.item) for item in value)}] AS {postgres_type(kind)})"
    raise TypeError(f"{type(value).__name__} is not a value of {kind}")


def text(value: str) -> str:
    """A text. The session takes backslashes as they are (`standard_conforming_strings`)."""
    return "'" + value.replace("'", "''") + "'"


def _number(value: float | Exact, kind: DataType) -> str:
    if isinstance(kind, Float):
        written = repr(float(value)) if math.isfinite(value) else {"nan": "NaN", "inf": "Infinity"}.get(str(value), "-Infinity")
        return f"CAST('{written}' AS {postgres_type(kind)})"
    if isinstance(kind, Decimal):
        exact = Exact(value)
        as_written = exact >= 0 and -int(exact.as_tuple().exponent) == kind.scale and kind.scale > 0
        return f"{exact:f}" if as_written else f"CAST('{exact:f}' AS {postgres_type(kind)})"
    if kind == Integer(32) and 0 <= value <= 2**31 - 1:
        return str(int(value))
    return f"CAST('{int(value)}' AS {postgres_type(kind)})"


def _moment(value: date | time, kind: DataType) -> str:
    if isinstance(value, datetime) and value.tzinfo is not None:
        value = value.astimezone(UTC).replace(tzinfo=None)
    suffix = "+00" if isinstance(kind, Timestamp) and kind.zone else ""
    written = value.isoformat(" ") if isinstance(value, datetime) else value.isoformat()
    return f"CAST('{written}{suffix}' AS {postgres_type(kind)})"


def _span(value: timedelta) -> str:
    """In seconds: PostgreSQL 14 reads no more than 2,147,483,647 microseconds."""
    return f"CAST('{value.days} days {value.seconds}.{value.microseconds:06} seconds' AS interval)"
