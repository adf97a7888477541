"""The types of numbers in arithmetic: how wide a result is, so that nothing is ever rounded or wrapped in silence."""

from __future__ import annotations

from decimal import Decimal as Exact

from headrace.business.model.types import DataType, Decimal, Float, Integer
from headrace.business.processing.expressions.faults import BindError

#: How many decimal digits the integers of so many bits have.
_DIGITS = {8: 3, 16: 5, 32: 10, 64: 19, 128: 38}
WIDEST = 38


def as_decimal(kind: DataType) -> Decimal:
    """The decimal that holds every value of an integer type (of 128 bits: those of up to 38 digits)."""
    if isinstance(kind, Decimal):
        return kind
    if not isinstance(kind, Integer):
        raise TypeError(f"{kind} is not an exact number")
    return Decimal(20 if kind == Integer(64, signed=False) else _DIGITS[kind.bits], 0)


def decimal_of(value: Exact) -> Decimal:
    """The tightest decimal type of a written value: `1.50` is a decimal(3, 2)."""
    _, digits, exponent = value.as_tuple()
    scale = max(-int(exponent), 0)
    return Decimal(max(len(digits) + max(int(exponent), 0), scale, 1), scale)


def common_number(left: DataType, right: DataType) -> DataType | None:
    """The type that holds the values of both."""
    if isinstance(left, Float) or isinstance(right, Float):
        return left if left == right else Float(64)
    if isinstance(left, Integer) and isinstance(right, Integer):
        return _common_integer(left, right)
    a, b = as_decimal(left), as_decimal(right)
    scale = max(a.scale, b.scale)
    return Decimal(min(WIDEST, max(a.precision - a.scale, b.precision - b.scale) + scale), scale)


def _common_integer(left: Integer, right: Integer) -> Integer | None:
    if left.signed == right.signed:
        return left if left.bits >= right.bits else right
    signed, unsigned = (left, right) if left.signed else (right, left)
    bits = max(signed.bits, unsigned.bits * 2)
    return Integer(bits) if bits <= 128 else None


def whole(kind: Integer) -> Integer:
    """The type in which integers are calculated: 64 bits, or 128 where one of them may need it."""
    return Integer(64) if kind.bits < 64 or kind == Integer(64) else Integer(128)


def sum_type(left: DataType, right: DataType) -> DataType:
    """Of `+` and `-`: one digit more than the wider of the two."""
    if isinstance(left, Float) or isinstance(right, Float):
        return Float(64)
    if isinstance(left, Integer) and isinstance(right, Integer):
        return max(whole(left), whole(right), key=lambda kind: kind.bits)
    a, b = as_decimal(left), as_decimal(right)
    scale = max(a.scale, b.scale)
    return Decimal(min(WIDEST, max(a.precision - a.scale, b.precision - b.scale) + scale + 1), scale)


def product_type(left: DataType, right: DataType) -> DataType:
    """Of `*`: all digits of both. The digits after the point are never fewer than the exact product has."""
    if isinstance(left, Decimal) or isinstance(right, Decimal):
        if isinstance(left, Float) or isinstance(right, Float):
            return Float(64)
        a, b = as_decimal(left), as_decimal(right)
        if a.scale + b.scale > WIDEST:
            raise BindError(
                f"the exact product of {left} and {right} has {a.scale + b.scale} digits after the point; {WIDEST} can be held",
                "cast one side to a decimal with fewer digits after the point, or to float64",
            )
        return Decimal(min(WIDEST, a.precision + b.precision), a.scale + b.scale)
    return sum_type(left, right)


def remainder_type(left: DataType, right: DataType) -> DataType:
    """Of `%`: wide enough for both."""
    if isinstance(left, Decimal) or isinstance(right, Decimal):
        return common_number(left, right) or Float(64)
    return sum_type(left, right)


def rounded_type(kind: DataType, digits: int) -> DataType:
    """Of a decimal rounded to so many digits after the point: rounding may carry into one digit more."""
    if not isinstance(kind, Decimal) or digits >= kind.scale:
        return kind
    kept = max(digits, 0)
    return Decimal(min(WIDEST, kind.precision - kind.scale + kept + 1), kept)
