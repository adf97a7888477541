"""How our types are stored in MySQL and MariaDB, which of their types take them, and how DuckDB prints their values for INSERT."""

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

#: Texts are told apart by their bytes: neither by case, nor by accents, nor by spaces at their end.
TEXT = "LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"

_PLAIN: dict[type[DataType], str] = {
    Boolean: "BOOLEAN", String: TEXT, Enum: TEXT, Null: TEXT, Interval: TEXT, Date: "DATE", Time: "TIME(6)", Timestamp: "DATETIME(6)",
    Binary: "LONGBLOB", Json: "JSON", Struct: "JSON", List: "JSON",
}  # fmt: skip

_WHOLE = {8: "TINYINT", 16: "SMALLINT", 32: "INT", 64: "BIGINT"}
_BYTES = {"tinyint": 1, "smallint": 2, "mediumint": 3, "int": 4, "bigint": 8}
_TEXTS = ("tinytext", "text", "mediumtext", "longtext", "varchar", "char", "enum", "set", "uuid", "inet4", "inet6")
_TAKING: dict[type[DataType], tuple[str, ...]] = {
    Boolean: (*_BYTES, "bit"), String: _TEXTS, Enum: _TEXTS, Interval: _TEXTS, Date: ("date", "datetime"),
    Binary: ("tinyblob", "blob", "mediumblob", "longblob", "varbinary"), **dict.fromkeys((Json, Struct, List), ("json", "longtext")),
}  # fmt: skip

#: The digits behind the point that a decimal may have there.
MOST_SCALE = 30


def mysql_type(kind: DataType) -> str:
    match kind:
        case Integer() if kind.bits in _WHOLE:
            return _WHOLE[kind.bits] + ("" if kind.signed else " UNSIGNED")
        case Integer():
            return f"DECIMAL({len(str(kind.highest))},0)"
        case Float():
            return "FLOAT" if kind.bits == 32 else "DOUBLE"
        case Decimal():
            return f"DECIMAL({kind.precision},{kind.scale})"
    return _PLAIN[type(kind)]


def is_text(kind: DataType) -> bool:
    return mysql_type(kind) in (TEXT, "JSON")


def takes(there: str, kind: DataType) -> bool:
    """Whether a column of the type `there` (as `information_schema` writes it) holds every value of `kind`, or refuses what it cannot."""
    base = re.split(r"[ (]", there.lower())[0]
    match kind:
        case Null():
            return True
        case Integer() | Decimal() | Float():
            return _takes_number(there.lower(), base, kind)
        case Time() | Timestamp():
            return "(6)" in there and base in (
                "time" if isinstance(kind, Time) else "datetime",
                "timestamp" if _zoned(kind) else "",
            )
    return base in _TAKING[type(kind)]


def _zoned(kind: DataType) -> bool:
    return isinstance(kind, Timestamp) and kind.zone


def _takes_number(there: str, base: str, kind: Integer | Decimal | Float) -> bool:
    if isinstance(kind, Float):
        return base == "double" or (base == "float" and kind.bits == 32)
    if isinstance(kind, Decimal):
        return _takes_digits(there, kind.precision - kind.scale, kind.scale)
    if base not in _BYTES:
        return _takes_digits(there, len(str(kind.highest)), 0) or (base == "double" and kind.highest <= 2**53)
    unsigned = "unsigned" in there
    return kind.highest < 2 ** (8 * _BYTES[base] - (not unsigned)) and not (unsigned and kind.signed)


def _takes_digits(there: str, before: int, after: int) -> bool:
    limits = re.fullmatch(r"decimal\((\d+),(\d+)\)", there)
    return limits is not None and after <= int(limits[2]) and before <= int(limits[1]) - int(limits[2])


def literal_cell(column: Column) -> str:
    """A column as the literal that MySQL reads, written for DuckDB. Backslashes mean nothing there (NO_BACKSLASH_ESCAPES)."""
    name = quoted(column.name)
    match column.type:
        case Boolean() | Integer() | Float() | Decimal():
            written = f"CAST({name} AS VARCHAR)"
        case Binary():
            written = f"'X''' || hex({name}) || ''''"
        case Timestamp(zone=zone):
            shown = f"timezone('UTC', {name})" if zone else name
            written = f"'''' || strftime({shown}, '%Y-%m-%d %H:%M:%S.%f') || ''''"
        case List() | Struct():
            written = f"'''' || replace(CAST(to_json({name}) AS VARCHAR), '''', '''''') || ''''"
        case _:
            written = f"'''' || replace(CAST({name} AS VARCHAR), '''', '''''') || ''''"
    return f"coalesce({written}, 'NULL')"
