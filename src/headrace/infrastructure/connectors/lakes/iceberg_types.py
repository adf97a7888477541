"""Which types of Apache Iceberg hold the values of ours, and how pyiceberg is asked for values. Not the words for types."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal as Exact
from typing import TYPE_CHECKING, Any

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
    Timestamp,
)  # fmt: skip
from headrace.infrastructure.connectors.lakes.lake import Within

if TYPE_CHECKING:
    from pyiceberg.expressions import BooleanExpression


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


def literal_of(value: str, kind: DataType) -> Any:
    """A value as pyiceberg compares it; None where it does not compare as we do."""
    match kind:
        case Integer() if value.lstrip("-").isdigit():
            return int(value)
        case Decimal():
            return Exact(value)
        case Date():
            return date.fromisoformat(value)
        case Timestamp():
            return datetime.fromisoformat(value).isoformat(timespec="microseconds")
        case String():
            return value
    return None


def not_below(column: str, least: Any) -> BooleanExpression:
    """Rows whose value is at least this, or null."""
    from pyiceberg.expressions import GreaterThanOrEqual, IsNull, Or

    return Or(_asked(GreaterThanOrEqual, column, least), _asked(IsNull, column))


def is_equal(column: str, value: Any) -> BooleanExpression:
    from pyiceberg.expressions import EqualTo

    return _asked(EqualTo, column, value)


def within(rows: Within, schema: Schema) -> BooleanExpression | None:
    from pyiceberg.expressions import And, GreaterThanOrEqual, LessThanOrEqual

    least, greatest = (literal_of(bound, schema[rows.column].type) for bound in (rows.least, rows.greatest))
    if least is None or greatest is None:
        return None
    return And(_asked(GreaterThanOrEqual, rows.column, least), _asked(LessThanOrEqual, rows.column, greatest))


def _asked(question: Any, *operands: Any) -> BooleanExpression:
    made: BooleanExpression = question(*operands)
    return made
