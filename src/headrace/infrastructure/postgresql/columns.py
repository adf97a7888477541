"""Which of our types a column of PostgreSQL has, and how its values travel so that none is changed on the way.

What the driver would make something else of, or slowly, travels as text: numbers of fixed precision, JSON. A type that has no equal
here stays text: enums, UUIDs, network addresses, ranges, and `numeric` without a precision, whose digits no type of fixed size holds.
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
from headrace.infrastructure.sql_text import literal, quoted
from headrace.records import record

NUMERIC = 1700
_MOST_DIGITS = 38

#: By the number of the type (its OID, which is the same in every PostgreSQL).
_AS_IT_IS: dict[int, DataType] = {
    16: Boolean(), 17: Binary(), 20: Integer(64), 21: Integer(16), 23: Integer(32), 25: String(), 700: Float(32), 701: Float(64),
    1043: String(), 1082: Date(), 1083: Time(), 1114: Timestamp(), 1184: Timestamp(zone=True), 1186: Interval(),
    1000: List(Boolean()), 1005: List(Integer(16)), 1007: List(Integer(32)), 1016: List(Integer(64)), 1021: List(Float(32)),
    1022: List(Float(64)), 1009: List(String()), 1015: List(String()),
}  # fmt: skip

#: `xid8`, the number of a transaction: rows whose transaction has ended cannot be joined by others with a lower number.
_TRANSACTION = 5069
#: Types that are text to begin with, or whose text sorts as their values do.
_SORTS_AS_TEXT = (18, 19, 25, 1042, 1043, 2950)

_AS_TEXT: dict[int, DataType] = {
    114: Json(), 3802: Json(), _TRANSACTION: Integer(64, signed=False),
}  # fmt: skip


#: The arrays that come as lists. One of several dimensions would come flat, so the server is made to stumble over it.
_ARRAYS = {1000: "bool", 1005: "int2", 1007: "int4", 1016: "int8", 1021: "float4", 1022: "float8", 1009: "text", 1015: "text"}
SEVERAL_DIMENSIONS = "an array of several dimensions"


@record
class PostgresColumn:
    """A column of a result, as the server describes it."""

    name: str
    oid: int
    modifier: int
    there: str = ""
    """The name of its type there, where that is not among those we know."""

    @property
    def type(self) -> DataType:
        if self.oid == NUMERIC:
            return self._numeric() or String()
        return _AS_IT_IS.get(self.oid) or _AS_TEXT.get(self.oid) or String()

    @property
    def expression(self) -> str:
        """What is selected, from a query that has the column."""
        name = quoted(self.name)
        if self.oid in _ARRAYS:
            stumbling = f"('{SEVERAL_DIMENSIONS}' || {name}::text)::{_ARRAYS[self.oid]}[]"
            return f"CASE WHEN array_ndims({name}) > 1 THEN {stumbling} ELSE {name} END"
        if self.oid in _AS_IT_IS:
            return name
        return f"{name}::text"

    @property
    def disordered(self) -> bool:
        """Whether it comes as text that does not sort as its values do."""
        return isinstance(self.type, String) and self.oid not in _SORTS_AS_TEXT

    def by_cursor(self, value: str | None) -> str:
        """A condition: no earlier run can have read this row by this column, unless the value is exactly there, and no transaction
        that goes on can add one below it, where the column tells of transactions."""
        name = quoted(self.name)
        if self.oid == _TRANSACTION:
            reached = f" AND {name} >= {literal(value)}" if value is not None else ""
            return f"({name} < pg_snapshot_xmin(pg_current_snapshot()){reached} OR {name} IS NULL)"
        if value is None:
            return "true"
        if isinstance(self.type, String):
            return f'({name}::text COLLATE "C" >= {literal(value)} OR {name} IS NULL)'
        endless = f" OR {name} = '-infinity'" if isinstance(self.type, Date | Timestamp | Float) else ""
        return f"({name} >= {literal(value)} OR {name} IS NULL{endless})"

    @property
    def note(self) -> str | None:
        if self.oid == NUMERIC and self._numeric() is None:
            return f"`{self.name}` is numeric without a precision that fits, and comes as text: give it a type in the contract"
        return f"`{self.name}` is {self.there}, and comes as text" if self.there else None

    def _numeric(self) -> Decimal | None:
        """The modifier of `numeric(p, s)` holds both, and is -1 where they were left out."""
        if self.modifier < 4:
            return None
        precision, scale = (self.modifier - 4) >> 16 & 0xFFFF, (self.modifier - 4) & 0x7FF
        return Decimal(precision, scale) if 1 <= precision <= _MOST_DIGITS and scale <= precision else None


def select(columns: Sequence[PostgresColumn], query: str, condition: str = "true") -> str:
    """A query of the rows that a condition is true of, whose values travel unchanged."""
    listed = ", ".join(f"{column.expression} AS {quoted(column.name)}" for column in columns)
    where = "" if condition == "true" else f" WHERE {condition}"
    return f"SELECT {listed} FROM ({query}\n) AS source{where}"
