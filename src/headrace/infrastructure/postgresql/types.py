"""How our types are stored in PostgreSQL, which of its types take them, and how DuckDB prints their values for COPY."""

from __future__ import annotations

import re

from headrace.business.model.schema import Column
from headrace.business.model.types import (
    Binary,
    Boolean,
    DataType,
    Date,
    Decimal,
    Enum,
    Float,
    Integer,
    Interval,
    Json,
    List,
    Null,
    String,
    Struct,
    Time,
    Timestamp,
)
from headrace.infrastructure.sql_text import quoted

_PLAIN: dict[type[DataType], str] = {
    Boolean: "boolean", String: "text", Enum: "text", Null: "text", Date: "date", Time: "time without time zone",
    Interval: "interval", Binary: "bytea", Json: "jsonb", Struct: "jsonb",
}  # fmt: skip

#: Whole numbers that a type holds: from the smallest one up.
_WHOLE = (("smallint", 2**15), ("integer", 2**31), ("bigint", 2**63))

#: Types of PostgreSQL that take no text but their own; all others (varchar, uuid, enums, domains, ...) judge it themselves.
_NOT_TEXT = {
    "smallint", "integer", "bigint", "numeric", "real", "double precision", "boolean", "date", "bytea", "interval", "json", "jsonb",
    "time without time zone", "time with time zone", "timestamp without time zone", "timestamp with time zone",
}  # fmt: skip


def postgres_type(kind: DataType) -> str:
    match kind:
        case Integer():
            return next((name for name, limit in _WHOLE if kind.highest < limit), f"numeric({len(str(kind.highest))},0)")
        case Float():
            return "real" if kind.bits == 32 else "double precision"
        case Decimal():
            return f"numeric({kind.precision},{kind.scale})"
        case Timestamp():
            return f"timestamp with{'' if kind.zone else 'out'} time zone"
        case List():
            return "jsonb" if isinstance(kind.item, List | Struct | Json) else f"{postgres_type(kind.item)}[]"
    return _PLAIN[type(kind)]


def takes(there: str, kind: DataType) -> bool:
    """Whether a column of the type `there` (as `format_type` writes it) holds every value of `kind`, or judges it itself."""
    base = re.sub(r"\(.*?\)", "", there).strip()
    match kind:
        case _ if there == postgres_type(kind):
            return True
        case Null():
            return True
        case String() | Enum():
            return base not in _NOT_TEXT and not base.endswith("[]")
        case Integer():
            return _takes_digits(there, base, len(str(kind.highest)), 0) or any(
                base == name and kind.highest < limit for name, limit in _WHOLE
            )
        case Decimal():
            return _takes_digits(there, base, kind.precision - kind.scale, kind.scale)
        case Float():
            return base == "double precision"
        case Json() | Struct():
            return base in ("json", "jsonb")
        case Timestamp():
            return base == postgres_type(kind)
    return False


def _takes_digits(there: str, base: str, before: int, after: int) -> bool:
    """Whether a numeric column has room for so many digits before and after the point."""
    if base != "numeric":
        return False
    limits = re.fullmatch(r"numeric\((\d+),(-?\d+)\)", there)
    return limits is None or (after <= int(limits[2]) and before <= int(limits[1]) - int(limits[2]))


def copy_cell(column: Column) -> str:
    """A column as PostgreSQL reads it from CSV, written for DuckDB."""
    return f"{_text(quoted(column.name), column.type)} AS {quoted(column.name)}"


def _text(value: str, kind: DataType) -> str:
    match kind:
        case Binary():
            return f"'\\x' || hex({value})"
        case Json() | Interval():
            return f"CAST({value} AS VARCHAR)"
        case Struct():
            return f"CAST(to_json({value}) AS VARCHAR)"
        case List() if postgres_type(kind) == "jsonb":
            return f"CAST(to_json({value}) AS VARCHAR)"
        case List():
            item = f"CAST({_text('x', kind.item)} AS VARCHAR)"
            escaped = f"'\"' || replace(replace({item}, '\\', '\\\\'), '\"', '\\\"') || '\"'"
            return f"'{{' || array_to_string([coalesce({escaped}, 'NULL') FOR x IN {value}], ',') || '}}'"
    return value
