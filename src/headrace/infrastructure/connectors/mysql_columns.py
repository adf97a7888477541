"""Which of our types a column of MySQL or MariaDB has, and how its values travel so that none is changed on the way.

The server writes each row as a line of CSV, which is parsed into columns at once, and not value by value in Python. What has no equal
here stays text: enums, sets, UUIDs, and decimals of more than 38 digits. Its own words for a value that is none (the date
0000-00-00, a time beyond 24 hours) are refused when they come.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from headrace.business.model.types import (
    Binary,
    DataType,
    Date,
    Decimal,
    Float,
    Integer,
    Json,
    String,
    Time,
    Timestamp,
)
from headrace.records import record

if TYPE_CHECKING:
    import pyarrow as pa

_MOST_DIGITS = 38
_BINARY_CHARSET = 63
_UNSIGNED = 32

#: By the number of the type in the protocol.
_WHOLE = {1: 8, 2: 16, 3: 32, 9: 32, 8: 64}
_DECIMAL, _FLOAT, _DOUBLE, _BIT, _YEAR, _JSON, _GEOMETRY = (0, 246), 4, 5, 16, 13, 245, 255
_TIMES: dict[int, DataType] = {10: Date(), 14: Date(), 11: Time(), 12: Timestamp(), 7: Timestamp(zone=True)}


def ticked(name: str) -> str:
    """A name as an identifier, whatever the server's modes are."""
    return "`" + name.replace("`", "``") + "`"


def text_literal(text: str) -> str:
    """A text as a value, whatever the server's modes are."""
    return f"_utf8mb4 X'{text.encode().hex()}'"


@record
class MySQLColumn:
    """A column of a result, as the server describes it."""

    name: str
    code: int
    flags: int = 0
    charset: int = 0
    length: int = 0
    scale: int = 0

    @property
    def type(self) -> DataType:
        unsigned = bool(self.flags & _UNSIGNED)
        if self.code in _WHOLE:
            return Integer(_WHOLE[self.code], signed=not unsigned)
        if self.code in _DECIMAL:
            return self._decimal() or String()
        if self.code in _TIMES:
            return _TIMES[self.code]
        if self.code == _BIT:
            return Integer(64, signed=False)
        if self.code == _YEAR:
            return Integer(16)
        if self.code in (_FLOAT, _DOUBLE):
            return Float(32 if self.code == _FLOAT else 64)
        if self.code == _JSON:
            return Json()
        return Binary() if self.charset == _BINARY_CHARSET or self.code == _GEOMETRY else String()

    @property
    def disordered(self) -> bool:
        """Whether it comes as text that does not sort as its values do."""
        return self.code in _DECIMAL and isinstance(self.type, String)

    @property
    def note(self) -> str | None:
        if self.disordered:
            return (
                f"`{self.name}` is decimal({self._precision}, {self.scale}), more than {_MOST_DIGITS} digits, and comes as text"
            )
        return None

    @property
    def expression(self) -> str:
        """The value as a cell of CSV."""
        name = ticked(self.name)
        match self.type:
            case Binary():
                written = _in_quotes(f"CAST({name} AS BINARY)")
            case String() | Json():
                written = _in_quotes(f"CONVERT({name} USING utf8mb4)")
            case Float() if self.code == _FLOAT:
                written = f"{name} + 0e0"  # a float is written with six digits, a double in full
            case Integer() if self.code == _BIT:
                written = f"{name} + 0"
            case Timestamp(zone=True):
                written = f"CONCAT({name}, 'Z')"
            case _:
                written = name
        return f"IFNULL({written}, '')"

    def by_cursor(self, value: str) -> str:
        """A condition: no earlier run can have read this row by this column, unless the value is exactly there."""
        name = ticked(self.name)
        match self.type:
            case Integer() | Decimal() | Float() if re.fullmatch(r"[-+0-9.eE]+", value):
                reached = f"{name} >= {value}"
            case Date() | Timestamp():
                reached = f"{name} >= {text_literal(value.removesuffix('+00'))}"
            case _:
                reached = f"CAST(CONVERT({name} USING utf8mb4) AS BINARY) >= CAST({text_literal(value)} AS BINARY)"
        return f"({reached} OR {name} IS NULL)"

    @property
    def _precision(self) -> int:
        """The length counts the point and the sign beside the digits."""
        return self.length - (self.scale > 0) - (not self.flags & _UNSIGNED)

    def _decimal(self) -> Decimal | None:
        return (
            Decimal(self._precision, self.scale)
            if 1 <= self._precision <= _MOST_DIGITS and self.scale <= self._precision
            else None
        )


def _in_quotes(value: str) -> str:
    return f"""CONCAT('"', REPLACE({value}, '"', '""'), '"')"""


def select(columns: Sequence[MySQLColumn], query: str, condition: str = "true") -> str:
    """A query of the rows that a condition is true of, each as one line of CSV."""
    cells = ", ',', ".join(column.expression for column in columns)
    where = "" if condition == "true" else f" WHERE {condition}"
    return f"SELECT CONCAT({cells}, '') FROM ({query}\n) AS source{where}"


def parsed(columns: Sequence[MySQLColumn], lines: bytes, schema: Any) -> pa.RecordBatch:
    """Lines of CSV, each ended, as a batch of a schema. Raises `pyarrow.ArrowInvalid` at a value that its type does not have."""
    import pyarrow as pa
    from pyarrow import csv

    table = csv.read_csv(
        pa.BufferReader(lines),
        csv.ReadOptions(column_names=[c.name for c in columns], use_threads=False, block_size=len(lines) + 1),
        csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
        csv.ConvertOptions(
            column_types=schema, null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=False,
            true_values=[], false_values=[],
        ),
    )  # fmt: skip
    return table.combine_chunks().to_batches()[0]
