"""Names and values as DuckDB's SQL writes them. The only place where either becomes text, so nothing is ever spliced raw."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal as Exact
from typing import Any

from headrace.business.model.types import DataType, Decimal, Float, Integer, List, Null, String, Struct, Timestamp
from headrace.infrastructure.engines.duckdb.types import duckdb_type


def identifier(name: str) -> str:
    """A name, always quoted. No name has a NUL in it; DuckDB could not keep one."""
    return '"' + name.replace("\0", "").replace('"', '""') + '"'


def literal(value: Any, kind: DataType) -> str:
    """A value of that type."""
    if value is None:
        return "NULL" if isinstance(kind, Null) else f"CAST(NULL AS {duckdb_type(kind)})"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return text(value) if isinstance(kind, String) else f"CAST({text(value)} AS {duckdb_type(kind)})"
    if isinstance(kind, Integer | Float | Decimal):
        return _number(value, kind)
    if isinstance(value, bytes | bytearray):
        return f"unhex('{value.hex()}')"
    if isinstance(value, timedelta):
        return _span(value)
    if isinstance(value, date | time):
        return _moment(value, kind)
    return _nested(value, kind)


def text(value: str) -> str:
    """A text. DuckDB's parser stops at a NUL, so it is put in as a character code."""
    if "\0" not in value:
        return "'" + value.replace("'", "''") + "'"
    return "(" + " || chr(0) || ".join(text(part) for part in value.split("\0")) + ")"


def _number(value: float | Exact, kind: DataType) -> str:
    if isinstance(kind, Float):
        return _float(float(value), kind)
    if isinstance(kind, Decimal):
        return f"CAST('{Exact(value):f}' AS {duckdb_type(kind)})"
    if kind == Integer(32) and 0 <= value <= 2**31 - 1:
        return str(int(value))
    return f"CAST('{int(value)}' AS {duckdb_type(kind)})"


def _float(value: float, kind: Float) -> str:
    """With an exponent DuckDB reads it as a float at once; without one it would go by way of a decimal, and be rounded twice."""
    if not math.isfinite(value):
        return f"CAST('{value}' AS {duckdb_type(kind)})"
    written = repr(value) if "e" in repr(value) else f"{value!r}e0"
    return written if kind == Float(64) and value >= 0 else f"CAST('{written}' AS {duckdb_type(kind)})"


def _moment(value: date | time, kind: DataType) -> str:
    if isinstance(value, datetime) and value.tzinfo is not None:
        value = value.astimezone(UTC).replace(tzinfo=None)
    suffix = "+00" if isinstance(kind, Timestamp) and kind.zone else ""
    written = value.isoformat(" ") if isinstance(value, datetime) else value.isoformat()
    return f"CAST('{written}{suffix}' AS {duckdb_type(kind)})"


def _span(value: timedelta) -> str:
    rest = value.seconds * 1_000_000 + value.microseconds
    return f"(to_days({value.days}) + to_microseconds({rest}))"


def _nested(value: Any, kind: DataType) -> str:
    if isinstance(kind, List):
        items = ", ".join(literal(item, kind.item) for item in value)
        return f"CAST([{items}] AS {duckdb_type(kind)})"
    if isinstance(kind, Struct) and isinstance(value, Mapping):
        fields = ", ".join(f"{identifier(name)} := {literal(value.get(name), field)}" for name, field in kind.fields)
        return f"struct_pack({fields})"
    raise TypeError(f"{type(value).__name__} is not a value of {kind}")


def exactly(path: str) -> str:
    """A path as a reading function takes it, to whom some characters would be wild cards."""
    return "".join(f"[{char}]" if char in "*?[" else char for char in path)
