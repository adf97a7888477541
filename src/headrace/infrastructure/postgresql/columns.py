"""Which of our types a column of PostgreSQL has, and how its values travel so that none is changed on the way.

What the driver would change travels as text and is cast back by the engine: dates and times (which may be infinite), numbers of
fixed precision. A type that has no equal here stays text: enums, UUIDs, network addresses, ranges, and `numeric` without a
precision, whose digits no type of fixed size holds.
"""

from __future__ import annotations

from collections.abc import Sequence

from headrace.business.model.types import (
    Binary,
    Boolean,
    DataType,
    Date,
    Decimal,
    Float,
    Integer,
    Interval,
    Json,
    List,
    String,
    Time,
    Timestamp,
)
from headrace.infrastructure.sql_text import quoted
from headrace.records import record

_NUMERIC = 1700
_MOST_DIGITS = 38

#: By the number of the type (its OID, which is the same in every PostgreSQL).
_AS_IT_IS: dict[int, DataType] = {
    16: Boolean(), 17: Binary(), 20: Integer(64), 21: Integer(16), 23: Integer(32), 25: String(), 700: Float(32), 701: Float(64),
    1043: String(), 1083: Time(), 1186: Interval(),
    1000: List(Boolean()), 1005: List(Integer(16)), 1007: List(Integer(32)), 1016: List(Integer(64)), 1021: List(Float(32)),
    1022: List(Float(64)), 1009: List(String()), 1015: List(String()),
}  # fmt: skip

_AS_TEXT: dict[int, DataType] = {
    114: Json(), 3802: Json(), 1082: Date(), 1114: Timestamp(), 1184: Timestamp(zone=True),
}  # fmt: skip


@record
class PostgresColumn:
    """A column of a result, as the server describes it."""

    name: str
    oid: int
    modifier: int

    @property
    def type(self) -> DataType:
        if self.oid == _NUMERIC:
            return self._numeric() or String()
        return _AS_IT_IS.get(self.oid) or _AS_TEXT.get(self.oid) or String()

    @property
    def expression(self) -> str:
        """What is selected, from a query that has the column."""
        return quoted(self.name) if self.oid in _AS_IT_IS else f"{quoted(self.name)}::text"

    @property
    def note(self) -> str | None:
        if self.oid == _NUMERIC and self._numeric() is None:
            return f"`{self.name}` is numeric without a precision that fits, and comes as text: give it a type in the contract"
        return None

    def _numeric(self) -> Decimal | None:
        """The modifier of `numeric(p, s)` holds both, and is -1 where they were left out."""
        if self.modifier < 4:
            return None
        precision, scale = (self.modifier - 4) >> 16 & 0xFFFF, (self.modifier - 4) & 0x7FF
        return Decimal(precision, scale) if 1 <= precision <= _MOST_DIGITS and scale <= precision else None


def select(columns: Sequence[PostgresColumn], query: str) -> str:
    """A query of the same rows whose values travel unchanged."""
    listed = ", ".join(f"{column.expression} AS {quoted(column.name)}" for column in columns)
    return f"SELECT {listed} FROM ({query}\n) AS source"
