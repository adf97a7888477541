"""Which casts cannot fail, so that they need no test, and the words for those that do. Not how a cast is printed."""

from __future__ import annotations

from headrace.business.model.types import Boolean, DataType, Decimal, Enum, Float, Integer, Json, List, String, Struct
from headrace.business.processing.expressions.coercion import a, common_type


def always_fits(source: DataType, target: DataType) -> bool:
    """Whether every value of the one type is exactly one of the other."""
    if isinstance(target, Enum) or (isinstance(source, Json) and not isinstance(target, String)):
        return False
    if isinstance(target, Decimal):
        return isinstance(source, Integer | Decimal) and wide_enough(source, target)
    if isinstance(target, Float):
        return source.is_number and target.bits == 64
    if isinstance(source, Boolean) and isinstance(target, Integer):
        return True
    return isinstance(target, String) or (common_type(source, target) == target and not isinstance(target, List | Struct))


def wide_enough(source: Integer | Decimal, target: Decimal) -> bool:
    """Whether a decimal has all digits that a number may have."""
    if isinstance(source, Integer):
        return source.bits < 128 and len(str(source.highest)) <= target.precision - target.scale
    return source.scale <= target.scale and source.precision - source.scale <= target.precision - target.scale


def misfit(target: DataType) -> str:
    return f"a value does not fit {a(target)} exactly; `try_cast` would make it null"
