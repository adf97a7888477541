"""How our types are stored in Snowflake, which of its types take them, and what its columns are here."""

from __future__ import annotations

import re

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

#: The most digits of a number there.
MOST_DIGITS = 38
_PLAIN: dict[type[DataType], str] = {
    Boolean: "BOOLEAN", Float: "FLOAT", String: "VARCHAR", Enum: "VARCHAR", Null: "VARCHAR", Date: "DATE", Time: "TIME(6)",
    Binary: "BINARY", Json: "VARIANT", List: "ARRAY", Struct: "VARIANT",
}  # fmt: skip


def snowflake_type(kind: DataType) -> str:
    """The type in which it is stored. Whole numbers of 128 bits get 38 digits: more is an error when they are stored."""
    match kind:
        case Integer():
            return f"NUMBER({min(len(str(kind.highest)), MOST_DIGITS)},0)"
        case Decimal():
            return f"NUMBER({kind.precision},{kind.scale})"
        case Timestamp():
            return "TIMESTAMP_LTZ(6)" if kind.zone else "TIMESTAMP_NTZ(6)"
        case Interval():
            raise TypeError(why_not(kind))
    return _PLAIN[type(kind)]


def why_not(kind: DataType) -> str | None:
    """Why there is no type for it, or None."""
    return "Snowflake's tables hold no intervals; cast it to string" if isinstance(kind, Interval) else None


def takes(there: str, kind: DataType) -> bool:
    """Whether a column of the type `there`, as DESCRIBE TABLE writes it, holds every value of `kind`."""
    base, digits = _parts(there)
    if base == "NUMBER" and isinstance(kind, Integer | Decimal):
        precision, scale = digits or (MOST_DIGITS, 0)
        before, after = (
            (kind.precision - kind.scale, kind.scale)
            if isinstance(kind, Decimal)
            else (min(len(str(kind.highest)), MOST_DIGITS), 0)
        )
        return after <= scale and before <= precision - scale
    if isinstance(kind, Timestamp) and kind.zone:
        return base in ("TIMESTAMP_LTZ", "TIMESTAMP_TZ")
    if base == "VARCHAR":
        return isinstance(kind, String | Enum | Null)
    if isinstance(kind, List):
        return base in ("ARRAY", "VARIANT")
    return isinstance(kind, Null) or base == _parts(snowflake_type(kind))[0]


def _parts(written: str) -> tuple[str, tuple[int, int] | None]:
    base, _, inside = written.upper().partition("(")
    found = re.fullmatch(r"(\d+),\s*(\d+)\)", inside)
    return base.strip(), (int(found[1]), int(found[2])) if found else None


def loaded_type(kind: DataType) -> str:
    """The type of a column into which Parquet is loaded: what is made of text there comes as text."""
    return "VARCHAR" if isinstance(kind, Json | List | Struct) else snowflake_type(kind)


def made_of_loaded(value: str, kind: DataType) -> str:
    """A value of `loaded_type` as one of `snowflake_type`."""
    match kind:
        case Json() | Struct():
            return f"PARSE_JSON({value})"
        case List():
            return f"CAST(PARSE_JSON({value}) AS ARRAY)"
    return value


def parquet_cell(value: str, kind: DataType) -> str:
    """A value for DuckDB to write to Parquet, so that Snowflake reads what was meant."""
    match kind:
        case Integer(bits=128):
            return f"CAST({value} AS DECIMAL(38, 0))"
        case Integer(bits=64, signed=False):
            return f"CAST({value} AS DECIMAL(20, 0))"
        case Float(bits=32):
            return f"CAST({value} AS DOUBLE)"
        case Json() | Enum():
            return f"CAST({value} AS VARCHAR)"
        case List() | Struct():
            return f"CAST(to_json({value}) AS VARCHAR)"
    return value


def type_here(name: str, precision: int | None, scale: int | None) -> tuple[DataType, str]:
    """A column of a result as ours, by the name that the driver has for its type, and how its value is selected: with `{}` for the
    column. Raises `ValueError` for one that we do not have."""
    match name:
        case "FIXED":
            return _number(precision or MOST_DIGITS, scale or 0), "{}"
        case "VARIANT" | "OBJECT" | "ARRAY" | "MAP":
            return Json(), "TO_JSON({})"
        case "TIMESTAMP_LTZ" | "TIMESTAMP_TZ":
            return Timestamp(zone=True), "{}"
        case "GEOGRAPHY" | "GEOMETRY":
            return Json(), "CAST(ST_ASGEOJSON({}) AS VARCHAR)"
    kinds: dict[str, DataType] = {
        "REAL": Float(64), "TEXT": String(), "DATE": Date(), "TIMESTAMP": Timestamp(), "TIMESTAMP_NTZ": Timestamp(), "TIME": Time(),
        "BINARY": Binary(), "BOOLEAN": Boolean(),
    }  # fmt: skip
    if name not in kinds:
        raise ValueError(name)
    return kinds[name], "{}"


def _number(precision: int, scale: int) -> DataType:
    """Whole numbers as the narrowest of ours that holds them; of 19 digits, which is what our `int64` is stored as, as that one."""
    if scale:
        return Decimal(precision, scale)
    bits = next((bits for bits, digits in ((16, 4), (32, 9), (64, 19)) if precision <= digits), None)
    return Integer(bits) if bits else Decimal(precision, 0)
