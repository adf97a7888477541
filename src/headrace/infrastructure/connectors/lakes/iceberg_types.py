"""Which types of Apache Iceberg hold the values of ours. Not their words: Arrow carries them."""

from __future__ import annotations

from headrace.business.model.types import DataType, Decimal, Enum, Integer, Interval, Json, List, Null, String, Struct


def stored(kind: DataType) -> DataType:
    """The type in which values of `kind` are kept, without loss: Iceberg has whole numbers of 32 and 64 bits, and no JSON in the format
    that is written here. Raises `ValueError` where there is none."""
    match kind:
        case Integer(bits=128):
            raise ValueError("which Iceberg has no type for; cast it to decimal(38, 0) or string")
        case Integer(bits=64, signed=False):
            return Decimal(20, 0)
        case Integer():
            return Integer(64 if kind.highest >= 2**31 else 32)
        case Interval():
            raise ValueError("which Iceberg has no type for; cast it to string, or to a number of seconds")
        case Enum() | Json() | Null():
            return String()
        case List():
            return List(stored(kind.item))
        case Struct():
            return Struct(tuple((name, stored(field)) for name, field in kind.fields))
    return kind
