"""The catalogue: arithmetic and mathematics. Nothing is rounded or wrapped in silence; what has no result is null."""

from __future__ import annotations

from collections.abc import Sequence

from headrace.business.model.types import DataType, Float, Integer
from headrace.business.processing.expressions.faults import BindError
from headrace.business.processing.expressions.function import STRICT, Function
from headrace.business.processing.expressions.ir import Constant, Expr
from headrace.business.processing.expressions.number_types import rounded_type, whole

_NUMBERS = "Numbers"
_OUTSIDE = "null when an argument is null or outside of where the function is defined"


def _digits(args: Sequence[Expr]) -> int:
    return args[1].value if len(args) > 1 and isinstance(args[1], Constant) and args[1].value is not None else 0


def _rounded(args: Sequence[Expr]) -> DataType:
    return rounded_type(args[0].type, _digits(args))


def _whole(args: Sequence[Expr]) -> DataType:
    kind = args[0].type
    return whole(kind) if isinstance(kind, Integer) else Float(64) if isinstance(kind, Float) else kind


def _few_digits(args: Sequence[Expr]) -> None:
    if len(args) > 1 and not -38 <= _digits(args) <= 38:
        raise BindError("`digits` must be between -38 and 38", argument=1)


def _operator(signature: str, written: str, meaning: str, example: str, gives: str, nulls: str = STRICT) -> Function:
    return Function(signature, meaning, example, gives, _NUMBERS, "operator", nulls, written)


def _real(signature: str, meaning: str, example: str, gives: str, *aliases: str) -> Function:
    return Function(signature, meaning, example, gives, _NUMBERS, nulls=_OUTSIDE, aliases=aliases)


FUNCTIONS = (
    _operator("add(left: number, right: number) -> number", "a + b", "The sum; also of a date and days, and of a moment and an interval. Integers are added in 64 bits, decimals get one digit more; beyond that is an error.", "1.5 + 2.25", "3.75"),
    _operator("subtract(left: number, right: number) -> number", "a - b", "The difference; of two dates in days, of two timestamps as an interval.", "date '2020-03-01' - date '2020-02-01'", "29"),
    _operator("multiply(left: number, right: number) -> number", "a * b", "The product. Decimals keep all digits of the exact product.", "1.10 * 1.10", "1.2100"),
    _operator("divide(left: number, right: number) -> float64", "a / b", "The quotient as a float64, also of integers and decimals.", "7 / 2", "3.5", "null when an argument is null or the divisor is zero"),
    _operator("integer_divide(left: integer, right: integer) -> integer", "a // b", "The quotient of integers without its fraction, towards zero.", "-7 // 2", "-3", "null when an argument is null or the divisor is zero"),
    _operator("modulo(left: number, right: number) -> number", "a % b", "What `//` leaves over; it has the sign of the left side.", "-7 % 3", "-1", "null when an argument is null or the divisor is zero"),
    _operator("negate(value: number) -> number", "-a", "The value with the other sign.", "-(2.5)", "-2.5"),
    Function("abs(value: number) -> number", "The value without its sign.", "abs(-2.5)", "2.5", _NUMBERS, result=_whole),
    Function("sign(value: number) -> int64", "-1, 0 or 1; 0 for NaN.", "sign(-2.5)", "-1", _NUMBERS),
    Function("round(value: number, [digits: constant int64]) -> number", "The nearest number with so many digits after the point (none, unless said; before the point when negative); halves go away from zero. A float is multiplied by the power of ten, rounded and divided, so what it is in binary decides.", "round(2.5)", "3", _NUMBERS, result=_rounded, check=_few_digits),
    Function("floor(value: number) -> number", "The greatest whole number that is not above.", "floor(-2.5)", "-3", _NUMBERS, result=_rounded),
    Function("ceil(value: number) -> number", "The least whole number that is not below.", "ceil(-2.5)", "-2", _NUMBERS, aliases=("ceiling",), result=_rounded),
    Function("trunc(value: number) -> number", "The value without its fraction, towards zero.", "trunc(-2.5)", "-2", _NUMBERS, result=_rounded),
    _real("sqrt(value: float64) -> float64", "The square root; null below zero.", "sqrt(2.25)", "1.5"),
    _real("power(base: float64, exponent: float64) -> float64", "The base raised to the exponent (also `a ^ b` and `a ** b`); null for a negative base with a broken exponent, and for zero with a negative one.", "power(2, 10)", "1024.0", "pow"),
    _real("exp(value: float64) -> float64", "e raised to the value.", "exp(0)", "1.0"),
    _real("ln(value: float64) -> float64", "The natural logarithm; null for zero and below.", "ln(1)", "0.0"),
    _real("log10(value: float64) -> float64", "The logarithm to base 10; null for zero and below.", "log10(1000)", "3.0"),
    _real("log2(value: float64) -> float64", "The logarithm to base 2; null for zero and below.", "log2(8)", "3.0"),
    _real("sin(value: float64) -> float64", "The sine of an angle in radians; null for an infinite one.", "sin(0)", "0.0"),
    _real("cos(value: float64) -> float64", "The cosine of an angle in radians; null for an infinite one.", "cos(0)", "1.0"),
    _real("atan2(y: float64, x: float64) -> float64", "The angle in radians from the x axis to the point (x, y).", "atan2(0, 1)", "0.0"),
    _real("asin(value: float64) -> float64", "The angle whose sine it is; null outside -1 to 1.", "asin(0)", "0.0"),
    _real("acos(value: float64) -> float64", "The angle whose cosine it is; null outside -1 to 1.", "acos(1)", "0.0"),
    _real("radians(degrees: float64) -> float64", "Degrees as radians.", "radians(0)", "0.0"),
    Function("is_nan(value: float) -> boolean", "Whether it is NaN, not a number.", "is_nan(cast('NaN' as float64))", "true", _NUMBERS, aliases=("isnan",)),
    Function("is_finite(value: float) -> boolean", "Whether it is neither NaN nor an infinity.", "is_finite(cast('-inf' as float64))", "false", _NUMBERS, aliases=("isfinite",)),
    Function("is_infinite(value: float) -> boolean", "Whether it is one of the two infinities.", "is_infinite(cast('-inf' as float64))", "true", _NUMBERS, aliases=("isinf",)),
)  # fmt: skip
