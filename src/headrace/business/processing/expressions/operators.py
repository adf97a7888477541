"""What operators make of typed operands. Not how they are written (see `bind`)."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal as Exact

from headrace.business.model.types import (
    Boolean,
    DataType,
    Date,
    Decimal,
    Float,
    Integer,
    Interval,
    Json,
    List,
    Null,
    String,
    Struct,
    Timestamp,
)  # fmt: skip
from headrace.business.processing.expressions.coercion import a, alike, clash_hint, coerce, comparable
from headrace.business.processing.expressions.faults import BindError
from headrace.business.processing.expressions.ir import Call, Constant, Expr
from headrace.business.processing.expressions.number_types import (
    as_decimal,
    decimal_of,
    product_type,
    remainder_type,
    sum_type,
    whole,
)  # fmt: skip

COMPARISONS = {
    "eq": "equal", "neq": "not_equal", "lt": "less", "lte": "less_or_equal", "gt": "greater", "gte": "greater_or_equal",
    "nullsafeeq": "not_distinct", "nullsafeneq": "distinct",
}  # fmt: skip
#: Operators that are functions of two arguments and no more.
PLAIN = {"dpipe": "concatenate", "regexpfullmatch": "regexp_full_match", "pow": "power"}


def compare(name: str, left: Expr, right: Expr) -> Expr:
    """Raises `BindError` when the two sides cannot be compared."""
    first, second = comparable(left, right)
    if isinstance(first.type, Json):
        raise BindError("json values cannot be compared", "compare a part of it: `value ->> '$.name' = 'x'`", 0)
    if name not in ("equal", "not_equal", "distinct", "not_distinct") and not (
        first.type.is_ordered or isinstance(first.type, Null)
    ):
        raise BindError(f"{a(first.type)} has no order", None, 0)
    return Call(Boolean(), name, (first, second))


def same_or_alike(values: tuple[Expr, ...]) -> tuple[Expr, ...]:
    """Values that are compared with each other: integers and decimals among themselves as they are, others as one type."""
    for family in (Integer, Decimal):
        if all(isinstance(v.type, family) for v in values):
            return values
    return alike(values, "compared")


def negated(condition: Expr) -> Call:
    return Call(Boolean(), "not", (condition,))


def negative(value: Expr) -> Expr:
    if isinstance(value, Constant) and value.type.is_number:
        if value.value is None:
            return value
        return Constant(integer_type(-value.value) if isinstance(value.type, Integer) else value.type, -value.value)
    if isinstance(value.type, Integer):
        return Call(whole(value.type), "negate", (coerce(value, whole(value.type)),))
    if value.type.is_number or isinstance(value.type, Interval):
        return Call(value.type, "negate", (value,))
    raise BindError(f"`-` needs a number, and this is {a(value.type)}")


def integer_type(value: int) -> Integer:
    """The type of a written integer: 32 bits where they are enough."""
    for bits in (32, 64, 128):
        if Integer(bits).lowest <= value <= Integer(bits).highest:
            return Integer(bits)
    raise BindError(
        "this number is too large for an integer", "write it with a point, as a decimal of at most 38 digits, or as `1e40`"
    )


def list_of(values: tuple[Expr, ...]) -> Expr:
    items = alike(values, "items of one list") if values else ()
    return Call(List(items[0].type if items else Null()), "list_value", items)


def struct_of(parts: tuple[Expr, ...]) -> Expr:
    """Names and values by turns."""
    names = [name.value for name in parts[::2] if isinstance(name, Constant)]
    if len({name.lower() for name in names}) < len(names):
        raise BindError("two fields have the same name")
    kinds = (value.type for value in parts[1::2])
    return Call(Struct(tuple(zip(names, kinds, strict=True))), "struct_value", parts)


def _add(left: Expr, right: Expr) -> Expr:
    if isinstance(left.type, Interval) and not isinstance(right.type, Interval):
        left, right = right, left
    if isinstance(left.type, Integer) and isinstance(right.type, Date):
        left, right = right, left
    return _moved("add", left, right) or _sum("add", left, right)


def _subtract(left: Expr, right: Expr) -> Expr:
    if {left.type, right.type} == {Date(), Timestamp()}:
        left, right = coerce(left, Timestamp()), coerce(right, Timestamp())
    if isinstance(left.type, Date | Timestamp):
        right = _as_other_side(right, left.type)
    elif isinstance(right.type, Date | Timestamp):
        left = _as_other_side(left, right.type)
    if isinstance(left.type, Date) and isinstance(right.type, Date):
        return Call(Integer(64), "subtract", (left, right))
    if isinstance(left.type, Timestamp) and left.type == right.type:
        return Call(Interval(), "subtract", (left, right))
    return _moved("subtract", left, right) or _sum("subtract", left, right)


def _as_other_side(value: Expr, kind: DataType) -> Expr:
    return coerce(value, kind) if isinstance(value, Constant) and isinstance(value.type, String) else value


def _moved(name: str, left: Expr, right: Expr) -> Expr | None:
    """A moment and an interval, a date and days, two intervals."""
    if isinstance(right.type, Interval):
        if isinstance(left.type, Date):
            return Call(Timestamp(), name, (coerce(left, Timestamp()), right))
        if isinstance(left.type, Timestamp | Interval):
            return Call(left.type, name, (left, right))
    if isinstance(left.type, Date) and isinstance(right.type, Integer):
        return Call(Date(), name, (left, right))
    return None


def _sum(name: str, left: Expr, right: Expr) -> Expr:
    _numbers({"add": "+", "subtract": "-"}[name], left, right)
    return _arithmetic(name, sum_type, left, right)


def _multiply(left: Expr, right: Expr) -> Expr:
    if isinstance(left.type, Integer) and isinstance(right.type, Interval):
        left, right = right, left
    if isinstance(left.type, Interval) and isinstance(right.type, Integer):
        return Call(Interval(), "multiply", (left, right))
    _numbers("*", left, right)
    return _arithmetic("multiply", product_type, left, right)


def _divide(left: Expr, right: Expr) -> Expr:
    _numbers("/", left, right)
    return Call(Float(64), "divide", (coerce(left, Float(64)), coerce(right, Float(64))))


def _integer_divide(left: Expr, right: Expr) -> Expr:
    _numbers("//", left, right)
    for i, side in enumerate((left, right)):
        if not isinstance(side.type, Integer | Null):
            raise BindError(f"`//` divides whole numbers, and this is {a(side.type)}", "write `trunc(a / b)`", i)
    return _arithmetic("integer_divide", sum_type, left, right)


def _modulo(left: Expr, right: Expr) -> Expr:
    _numbers("%", left, right)
    return _arithmetic("modulo", remainder_type, left, right)


def _arithmetic(name: str, rule: Callable[[DataType, DataType], DataType], left: Expr, right: Expr) -> Expr:
    first, second = _known(left, right), _known(right, left)
    kind = rule(first.type, second.type)
    if isinstance(kind, Decimal):
        if name == "modulo":
            return Call(kind, name, (coerce(first, kind), coerce(second, kind)))
        return Call(kind, name, (coerce(first, as_decimal(first.type)), coerce(second, as_decimal(second.type))))
    return Call(kind, name, (coerce(first, kind), coerce(second, kind)))


def _known(value: Expr, other: Expr) -> Expr:
    """A literal beside a decimal is a decimal of just its digits; a bare null is a number like the other side."""
    if isinstance(value.type, Null):
        return coerce(value, other.type if other.type.is_number else Integer(64))
    if isinstance(value, Constant) and isinstance(value.value, int) and isinstance(other.type, Decimal):
        exact = Exact(value.value)
        return Constant(decimal_of(exact), exact)
    return value


def _numbers(sign: str, left: Expr, right: Expr) -> None:
    for i, side in enumerate((left, right)):
        if not (side.type.is_number or isinstance(side.type, Null)):
            hint = (
                "join texts with `||`" if sign == "+" and isinstance(left.type, String) else clash_hint(side.type, Integer(64))
            )
            other = (right, left)[i].type
            if isinstance(side.type, Date | Timestamp) or isinstance(other, Date | Timestamp):
                hint = "dates take days or intervals: `d + interval '1 month'`"
                raise BindError(f"`{sign}` cannot be used with {a(left.type)} and {a(right.type)}", hint, 1)
            raise BindError(f"`{sign}` needs numbers, and this is {a(side.type)}", hint, i)


ARITHMETIC: dict[str, Callable[[Expr, Expr], Expr]] = {
    "add": _add, "sub": _subtract, "mul": _multiply, "div": _divide, "intdiv": _integer_divide, "mod": _modulo,
}  # fmt: skip
