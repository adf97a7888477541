"""The types that dlt knows, as ours. What dlt leaves open is left open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headrace.business.model.types import (
    Binary,
    Boolean,
    DataType,
    Date,
    Decimal,
    Float,
    Integer,
    Json,
    String,
    Time,
    Timestamp,
)

_SAME: Mapping[str, DataType] = {
    "text": String(), "double": Float(64), "bool": Boolean(), "timestamp": Timestamp(zone=True), "bigint": Integer(64), "json": Json(),
    "date": Date(), "time": Time(), "binary": Binary(), "wei": Decimal(38, 0),
}  # fmt: skip


def hinted(columns: Mapping[str, Mapping[str, Any]]) -> dict[str, DataType]:
    """The columns with a type among the hints of a resource."""
    found = {}
    for name, hint in columns.items():
        if kind := _type(hint):
            found[name] = kind
    return found


def _type(hint: Mapping[str, Any]) -> DataType | None:
    match hint.get("data_type"):
        case "decimal":
            return Decimal(hint.get("precision") or 38, hint["scale"] if hint.get("scale") is not None else 9)
        case "timestamp":
            return Timestamp(zone=hint.get("timezone") is not False)
        case None:
            return None
        case other:
            return _SAME.get(str(other))
