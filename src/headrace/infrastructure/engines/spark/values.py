"""Values on their way from Spark to Python, as every engine gives them. Instants are fetched as what a clock in UTC shows: PySpark would
give them on the clock of this machine."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from headrace.business.model.types import Binary, DataType, Integer, List, Struct, Timestamp


def fetched(sql: str, kind: DataType) -> str:
    return f"CAST({sql} AS TIMESTAMP_NTZ)" if isinstance(kind, Timestamp) and kind.zone else sql


def in_python(value: Any, kind: DataType) -> Any:
    if value is None:
        return None
    match kind:
        case Timestamp(zone=True) if isinstance(value, datetime):
            return value.replace(tzinfo=UTC)
        case Integer():
            return int(value)
        case Binary():
            return bytes(value)
        case List():
            return [in_python(item, kind.item) for item in value]
        case Struct():
            return {name: in_python(part, field) for part, (name, field) in zip(value, kind.fields, strict=True)}
    return value
