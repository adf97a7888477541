"""Our types as Spark's. Not values (see `literals`)."""

from __future__ import annotations

from collections.abc import Sequence

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
)  # fmt: skip
from headrace.infrastructure.engines.spark.naming import identifier

MOST_DIGITS = 38

#: Unsigned integers get the next wider type. Integers of 128 bits are only calculated with, in 38 digits: beyond them is an error.
_PLAIN: dict[DataType, str] = {
    Null(): "VOID", Boolean(): "BOOLEAN", Float(32): "FLOAT", Float(64): "DOUBLE", String(): "STRING", Date(): "DATE",
    Timestamp(): "TIMESTAMP_NTZ", Timestamp(zone=True): "TIMESTAMP", Binary(): "BINARY", Json(): "STRING",
    Integer(8): "TINYINT", Integer(16): "SMALLINT", Integer(32): "INT", Integer(64): "BIGINT", Integer(128): "DECIMAL(38, 0)",
    Integer(8, signed=False): "SMALLINT", Integer(16, signed=False): "INT", Integer(32, signed=False): "BIGINT",
    Integer(64, signed=False): "DECIMAL(20, 0)",
}  # fmt: skip


def spark_type(kind: DataType) -> str:
    """The type in which Spark keeps it. Raises `TypeError` for one that it cannot keep (see `type_problem`)."""
    match kind:
        case Decimal():
            return f"DECIMAL({kind.precision}, {kind.scale})"
        case List():
            return f"ARRAY<{spark_type(kind.item)}>"
        case Struct():
            return f"STRUCT<{', '.join(f'{identifier(name)}: {spark_type(field)}' for name, field in kind.fields)}>"
        case Enum():
            return "STRING"
        case _ if kind in _PLAIN:
            return _PLAIN[kind]
        case _:
            raise TypeError(type_problem(kind) or f"Spark has no type for {kind}")


def type_problem(kind: DataType) -> str | None:
    """Why no column can be of it on Spark, or None."""
    match kind:
        case Time():
            return "Spark has no time of day without a day; keep it as string, or make a timestamp of it"
        case Interval():
            return "Spark keeps months apart from days in an interval; keep what it was made of, in numbers"
        case Integer(bits=128):
            return "Spark has no whole numbers of more than 38 digits; make it a decimal(38, 0)"
        case List():
            return type_problem(kind.item)
        case Struct():
            return next((why for _, field in kind.fields if (why := type_problem(field))), None)
        case _:
            return None


def holds_json(kind: DataType) -> bool:
    if isinstance(kind, Struct):
        return any(holds_json(field) for _, field in kind.fields)
    return isinstance(kind, Json) or (isinstance(kind, List) and holds_json(kind.item))


def is_wide(kind: DataType) -> bool:
    """Whether it is a whole number that Spark keeps as a decimal."""
    return isinstance(kind, Integer) and (kind.bits == 128 or kind == Integer(64, signed=False))


def too_many_digits(kinds: Sequence[DataType]) -> bool:
    """Whether no decimal has the digits of all of them, before the point and behind it."""
    if (
        len(set(kinds)) < 2
        or not any(isinstance(kind, Decimal) for kind in kinds)
        or any(isinstance(kind, Float) for kind in kinds)
    ):
        return False
    return max(map(_whole_digits, kinds)) + max(kind.scale for kind in kinds if isinstance(kind, Decimal)) > MOST_DIGITS


def _whole_digits(kind: DataType) -> int:
    if isinstance(kind, Integer):
        return min(len(str(kind.highest)), MOST_DIGITS)
    return kind.precision - kind.scale if isinstance(kind, Decimal) else 0
