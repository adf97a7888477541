"""Writes single values as PostgreSQL does in binary: big-endian, behind their length, numbers with a point to the base of ten thousand.
Not nulls, and not texts.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from headrace.business.model.types import Boolean, DataType, Date, Decimal, Float, Integer, Time, Timestamp
from headrace.infrastructure.postgresql.types import postgres_type

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

_DAYS_TO_2000, _MICROSECONDS_TO_2000 = 10_957, 946_684_800_000_000
#: Digits of a decimal that Arrow's lower 64 bits hold: values of more are not written.
MOST_DIGITS = 18
#: PostgreSQL's digits are numbers of four decimal digits.
_BASE_DIGITS = 4
_NEGATIVE = 0x4000

#: The form of a value, and what fills an array of them.
Cells: TypeAlias = "tuple[Any, Callable[[np.ndarray[Any, Any]], None]]"


def numbers(column: pa.Array, form: str, extra: int = 0) -> np.ndarray[Any, Any]:
    """The values of a column as they lie in memory (of one of texts: where each begins, with `extra` one more)."""
    import numpy as np

    found = np.frombuffer(column.buffers()[1], dtype=form)
    return found[column.offset : column.offset + len(column) + extra]


def cells_of(column: pa.Array, kind: DataType) -> Cells:
    """How the values of a column without nulls are written; days and microseconds count from the year 2000 on."""
    match kind:
        case Decimal():
            return _decimal_form(kind), partial(_decimals, column, kind)
        case Boolean():
            return _plain(">u1", column.fill_null(False).to_numpy(zero_copy_only=False))
        case Float():
            return _plain(f">f{kind.bits // 8}", numbers(column, f"<f{kind.bits // 8}"))
        case Date():
            return _plain(">i4", _since_2000(numbers(column, "<i4"), _DAYS_TO_2000))
        case Timestamp():
            return _plain(">i8", _since_2000(numbers(column, "<i8"), _MICROSECONDS_TO_2000))
        case Time():
            return _plain(">i8", numbers(column, "<i8"))
        case Integer():
            there = {"smallint": ">i2", "integer": ">i4", "bigint": ">i8"}[postgres_type(kind)]
            return _plain(there, numbers(column, f"<{'i' if kind.signed else 'u'}{kind.bits // 8}"))
    raise TypeError(f"{kind} is not written in binary")


def _plain(form: str, values: np.ndarray[Any, Any]) -> Cells:
    def fill(cells: np.ndarray[Any, Any]) -> None:
        cells["length"] = cells.dtype["value"].itemsize
        cells["value"] = values

    return [("length", ">i4"), ("value", form)], fill


def _since_2000(since_1970: np.ndarray[Any, Any], distance: int) -> np.ndarray[Any, Any]:
    """DuckDB has the greatest number for infinity and its negative for minus infinity; PostgreSQL the greatest and the least."""
    import numpy as np

    limits = np.iinfo(since_1970.dtype)
    # What comes too close to the least number is before all that PostgreSQL can hold, and stays so: the server refuses it.
    moved: np.ndarray[Any, Any] = np.maximum(since_1970, limits.min + distance + 1) - distance
    moved[since_1970 == limits.max] = limits.max
    moved[since_1970 <= -limits.max] = limits.min
    return moved


def _digits_of(kind: Decimal) -> tuple[int, int]:
    """How many digits to that base stand before the point and after it."""
    return -(-(kind.precision - kind.scale) // _BASE_DIGITS), -(-kind.scale // _BASE_DIGITS)


def _decimal_form(kind: Decimal) -> list[tuple[str, str]]:
    head = [("length", ">i4"), ("digits", ">i2"), ("weight", ">i2"), ("sign", ">u2"), ("scale", ">i2")]
    return [*head, *((f"digit {i}", ">i2") for i in range(sum(_digits_of(kind))))]


def _decimals(column: pa.Array, kind: Decimal, cells: np.ndarray[Any, Any]) -> None:
    """All values with as many digits as the longest could have; the server drops those that are zero at either end."""
    import numpy as np

    words = np.frombuffer(column.buffers()[1], dtype="<i8").reshape(-1, 2)[column.offset : column.offset + len(column), 0]
    before, after = _digits_of(kind)
    cells["length"] = cells.dtype.itemsize - 4
    cells["digits"], cells["weight"], cells["scale"] = before + after, before - 1, kind.scale
    negative = words < 0
    if negative.any():
        cells["sign"] = np.where(negative, _NEGATIVE, 0)
    left = np.abs(words).view("u8")
    unit = np.uint64(10**kind.scale)
    whole = left // unit
    _digits(cells, left - whole * unit, range(before, before + after), last=kind.scale % _BASE_DIGITS or _BASE_DIGITS)
    _digits(cells, whole, range(before))


def _narrowest(found: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Small numbers are divided several at a time."""
    return found.astype("u4") if found.max(initial=0) < 1 << 32 else found


def _digits(cells: np.ndarray[Any, Any], left: np.ndarray[Any, Any], places: range, last: int = _BASE_DIGITS) -> None:
    """Write numbers down from their last digit to their first, as long as any is left; the cells hold zeros. The last one is made of
    no more than `last` decimal digits, and filled up with zeros."""
    for place in reversed(places):
        left = _narrowest(left)
        rest = left // left.dtype.type(10**last)
        digit = left - rest * left.dtype.type(10**last)
        cells[f"digit {place}"] = digit * digit.dtype.type(10 ** (_BASE_DIGITS - last)) if last < _BASE_DIGITS else digit
        if not rest.any():
            break
        left, last = rest, _BASE_DIGITS
