"""Which types of Delta Lake hold the values of ours, and how delta-rs is asked for values. Not the words for types: Arrow carries them."""

from __future__ import annotations

from headrace.business.model.schema import Schema
from headrace.business.model.types import (
    DataType,
    Date,
    Decimal,
    Enum,
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
from headrace.infrastructure.connectors.lakes.lake import Within
from headrace.infrastructure.sql_text import literal, quoted


def stored(kind: DataType) -> DataType:
    """The type in which values of `kind` are kept, without loss: Delta has no unsigned numbers, no time of day, no JSON. Raises
    `ValueError` where there is none."""
    match kind:
        case Integer(bits=128):
            raise ValueError("which Delta Lake has no type for; cast it to decimal(38, 0) or string")
        case Integer(bits=64, signed=False):
            return Decimal(20, 0)
        case Integer(signed=False):
            return Integer(kind.bits * 2)
        case Interval():
            raise ValueError("which Delta Lake has no type for; cast it to string, or to a number of seconds")
        case Time() | Enum() | Json() | Null():
            return String()
        case List():
            return List(stored(kind.item))
        case Struct():
            return Struct(tuple((name, stored(field)) for name, field in kind.fields))
    return kind


def literal_of(value: str, kind: DataType) -> str | None:
    """A value as SQL of delta-rs; None where it does not compare as we do."""
    match kind:
        case Integer() if value.lstrip("-").isdigit():
            return value
        case Decimal():
            return f"CAST({literal(value)} AS DECIMAL({kind.precision}, {kind.scale}))"
        case Date():
            return f"CAST({literal(value)} AS DATE)"
        case Timestamp():
            return f"CAST({literal(value)} AS {'TIMESTAMP WITH TIME ZONE' if kind.zone else 'TIMESTAMP'})"
        case String():
            return literal(value)
    return None


def within(rows: Within, schema: Schema) -> str | None:
    bounds = [literal_of(bound, schema[rows.column].type) for bound in (rows.least, rows.greatest)]
    return None if None in bounds else f"{quoted(rows.column)} >= {bounds[0]} AND {quoted(rows.column)} <= {bounds[1]}"
