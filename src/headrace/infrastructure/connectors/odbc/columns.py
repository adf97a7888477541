"""How a column of a result travels through a driver of ODBC unchanged: as which type, and by which expression. Not which database does how.

What drivers make of days and moments differs, and is often wrong at the edges: infinity becomes today, a year of five digits one of four.
So these, and decimals, travel as the text that the database writes, and are parsed here, a column at a time.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar

from headrace.business.model.types import DataType, Decimal
from headrace.infrastructure.connectors.odbc.drivers import Described, Link
from headrace.records import record

MOST_DIGITS = 38
#: A character of UTF-8 has at most so many bytes.
_BYTES = 4
#: Room for whatever is no text: a number, or the text of a moment.
_SMALL = 40

#: Concise types of ODBC.
BIT, TINY, SMALL, WHOLE, BIG = -7, -6, 5, 4, -5
FLOAT, REAL, DOUBLE = 6, 7, 8
DECIMALS, TEXTS, BINARIES = (2, 3), (1, 12, -1, -8, -9, -10), (-2, -3, -4)
DATE, TIME, MOMENT = 91, 92, 93
#: Whole numbers by their type: how many bits, what they are fetched as, and what without a sign, for which ODBC has no types of its own.
WHOLE_NUMBERS = {
    TINY: (8, "int8", "uint8"),
    SMALL: (16, "int16", "int32"),
    WHOLE: (32, "int32", "int64"),
    BIG: (64, "int64", "string"),
}


@record
class OdbcColumn:
    """A column of a result: what it is here, and how it comes."""

    name: str
    type: DataType
    fetched: str
    """The Arrow type, by its alias, that it is fetched as."""
    expression: str
    """Of SQL: the value as it travels."""
    width: int = _SMALL
    """The bytes that the largest value takes on its way."""
    reached: str = ""
    """A condition on `?`: no earlier run can have read this row by this column, unless the value is exactly there. Empty when the database
    cannot be asked so without a doubt."""
    note: str | None = None
    disordered: bool = False
    """Whether it comes as text that does not sort as its values do."""
    cut: int = 0
    """How many characters of its text count, where the database knows finer moments than we do."""


class Dialect(ABC):
    """How a kind of database is asked."""

    nested: ClassVar[bool]
    """Whether any query may stand in the place of a table."""
    begun_with: ClassVar[Sequence[str]] = ()
    """Statements that come before the reading: only to read, and all moments in UTC."""
    at_once: ClassVar[bool] = True
    """Whether each statement is a transaction; otherwise all of a connection are one, which is given up at the end."""

    def __init__(self, quoted: Callable[[str], str], longest: int) -> None:
        self.quoted, self.longest = quoted, longest

    @abstractmethod
    def column(self, described: Described) -> OdbcColumn:
        """How a column comes."""

    def encryption(self, link: Link) -> str | None:  # noqa: ARG002 - most databases cannot be asked alike
        """The TLS of a connection; None when nothing is encrypted."""
        return "as the driver is set to, which it does not tell"

    def room(self, described: Described) -> int:
        """The bytes that a text or binary value takes at most."""
        return min(described.length * _BYTES, self.longest) if described.length > 0 else self.longest


def decimal(described: Described) -> Decimal | None:
    """The type of a decimal, when it has as many digits as ours at most."""
    digits, scale = described.precision or described.length, described.scale
    return Decimal(digits, scale) if 1 <= digits <= MOST_DIGITS and 0 <= scale <= digits else None


def too_many_digits(described: Described) -> str:
    return f"`{described.name}` is a decimal of more than {MOST_DIGITS} digits, or of no stated number, and comes as text"


def as_text(described: Described) -> str:
    what = described.type_name if described.type_name not in ("", "unknown") else "of a type that the driver has no word for"
    return f"`{described.name}` is {what}, and comes as text"
