"""Names and values as Snowflake's SQL writes them. The only place where either becomes text, so nothing is ever spliced raw."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal as Exact
from typing import Any

from headrace.business.model.types import DataType, Decimal, Float, Integer, Null, String, Timestamp
from headrace.infrastructure.engines.snowflake.types import snowflake_type

#: Whole numbers up to here are written as they are: products and sums of a few of them stay small wherever they are calculated.
_PLAIN = 10**4
_ESCAPES = {"\\": "\\\\", "'": "''", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\f": "\\f"}


def identifier(name: str) -> str:
    """A name, always quoted. No name has a NUL in it."""
    return '"' + name.replace("\0", "").replace('"', '""') + '"'


def literal(value: Any, kind: DataType) -> str:
    """A value of that type."""
    if value is None:
        return "NULL" if isinstance(kind, Null) else f"CAST(NULL AS {snowflake_type(kind)})"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, str):
        return text(value) if isinstance(kind, String) else f"CAST({text(value)} AS {snowflake_type(kind)})"
    if isinstance(kind, Integer | Float | Decimal):
        return _number(value, kind)
    if isinstance(value, bytes | bytearray):
        return f"TO_BINARY('{value.hex()}', 'HEX')"
    if isinstance(value, date | time):
        return _moment(value, kind)
    raise TypeError(f"{type(value).__name__} is not a value of {kind}")


def text(value: str) -> str:
    """A text. A backslash begins an escape there, and what would break the line is written as one."""
    return "'" + "".join(_ESCAPES.get(char, char) for char in value) + "'"


def _number(value: float | Exact, kind: DataType) -> str:
    if isinstance(kind, Float):
        return f"CAST('{float(value)!r}' AS FLOAT)"
    if isinstance(kind, Decimal):
        return f"CAST('{Exact(value):f}' AS {snowflake_type(kind)})"
    whole = int(value)
    return str(whole) if 0 <= whole <= _PLAIN else f"CAST('{whole}' AS {snowflake_type(kind)})"


def _moment(value: date | time, kind: DataType) -> str:
    if isinstance(value, datetime) and value.tzinfo is not None:
        value = value.astimezone(UTC).replace(tzinfo=None)
    suffix = "+00:00" if isinstance(kind, Timestamp) and kind.zone else ""
    written = value.isoformat(" ") if isinstance(value, datetime) else value.isoformat()
    return f"CAST('{written}{suffix}' AS {snowflake_type(kind)})"
