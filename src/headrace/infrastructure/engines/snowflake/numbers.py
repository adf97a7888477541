"""The functions on numbers in Snowflake's SQL: whole numbers and decimals have 38 digits there, floats 64 bits. Not casts."""

from __future__ import annotations

from collections.abc import Sequence

from headrace.business.model.types import Date, Decimal, Float, Integer
from headrace.business.processing.expressions.ir import Call
from headrace.infrastructure.engines.snowflake.calling import Make, as_result, bounded, written
from headrace.infrastructure.engines.sql.dialect import Lowering


def _floats(e: Call, args: Sequence[str]) -> list[str]:
    return [arg if isinstance(part.type, Float) else f"CAST({arg} AS FLOAT)" for arg, part in zip(args, e.args, strict=True)]


def _arithmetic(sign: str) -> Make:
    def lower(e: Call, args: Sequence[str]) -> str:
        if isinstance(e.type, Float):
            left, right = _floats(e, args)
            return f"({left} {sign} {right})"
        if isinstance(e.type, Date):
            days, day = (args[0], args[1]) if isinstance(e.args[0].type, Integer) else (args[1], args[0])
            return f"DATEADD(day, {sign.replace('+', '')}{days}, {day})"
        if isinstance(e.args[0].type, Date):
            return as_result(f"DATEDIFF(day, {args[1]}, {args[0]})", e)
        number = f"({{0}} {sign} {{1}})"
        return bounded(number, e.type, args) if isinstance(e.type, Integer) else as_result(number.format(*args), e)

    return lower


def _divide(e: Call, args: Sequence[str]) -> str:
    left, right = _floats(e, args)
    return f"({left} / {right if written(e.args[1]) else f'NULLIF({right}, 0)'})"


def _whole_quotient(e: Call, args: Sequence[str]) -> str:
    """What `MOD` leaves over is taken off first, so that nothing is rounded."""
    divisor = "{1}" if written(e.args[1]) else "NULLIF({1}, 0)"
    number = f"(({{0}} - MOD({{0}}, {divisor})) / {divisor})"
    whole = f"CAST({number} AS NUMBER(38, 0))"
    return bounded(whole, e.type, args) if isinstance(e.type, Integer) else as_result(whole.format(*args), e)


def _modulo(e: Call, args: Sequence[str]) -> str:
    left, right = _floats(e, args) if isinstance(e.type, Float) else args
    rest = f"MOD({left}, {right if written(e.args[1]) else f'NULLIF({right}, 0)'})"
    return rest if isinstance(e.type, Float) else as_result(rest, e)


def _one(template: str) -> Make:
    """Of a number one of its own kind."""

    def lower(e: Call, args: Sequence[str]) -> str:
        if isinstance(e.type, Integer):
            return bounded(template.replace("{}", "{0}"), e.type, args)
        made = template.replace("{}", args[0])
        return made if isinstance(e.type, Float) else as_result(made, e)

    return lower


def _to_whole(name: str) -> Make:
    def lower(e: Call, args: Sequence[str]) -> str:
        if isinstance(e.type, Integer):
            return args[0]
        return f"{name}({args[0]})" if isinstance(e.type, Float) else as_result(f"{name}({args[0]})", e)

    return lower


def _round(e: Call, args: Sequence[str]) -> str:
    """A float is multiplied by the power of ten and rounded then, halves away from zero."""
    digits = written(e.args[1]) if len(e.args) > 1 else 0
    if not isinstance(digits, int):
        return as_result("NULL", e)
    kind = e.args[0].type
    if isinstance(kind, Float):
        unit = f"CAST('1e{abs(digits)}' AS FLOAT)"
        if not digits:
            return f"ROUND({args[0]})"
        up, down = ("*", "/") if digits > 0 else ("/", "*")
        rounded = f"(ROUND({args[0]} {up} {unit}) {down} {unit})"
        infinite = "CAST('inf' AS FLOAT)"
        return f"CASE WHEN ABS({args[0]} {up} {unit}) < {infinite} THEN {rounded} ELSE {args[0]} END"
    if (isinstance(kind, Integer) and digits >= 0) or (isinstance(kind, Decimal) and digits >= kind.scale):
        return args[0]
    rounded = f"ROUND({{0}}, {digits})"
    return bounded(rounded, e.type, args) if isinstance(e.type, Integer) else as_result(rounded.format(*args), e)


NUMBERS: dict[str, Lowering] = {
    "add": _arithmetic("+"), "subtract": _arithmetic("-"), "multiply": _arithmetic("*"),
    "divide": _divide, "integer_divide": _whole_quotient, "modulo": _modulo, "negate": _one("(- {})"),
    "abs": _one("ABS({})"), "sign": lambda e, args: as_result(f"SIGN({args[0]})", e), "round": _round,
    "floor": _to_whole("FLOOR"), "ceil": _to_whole("CEIL"), "trunc": _to_whole("TRUNC"),
    "sqrt": lambda e, args: f"CASE WHEN NOT {_floats(e, args)[0]} < 0 THEN SQRT({_floats(e, args)[0]}) END",
    "exp": lambda e, args: f"EXP({_floats(e, args)[0]})",
    "ln": lambda e, args: f"CASE WHEN {_floats(e, args)[0]} > 0 THEN LN({_floats(e, args)[0]}) END",
    "is_nan": "({0} = CAST('nan' AS FLOAT))", "is_finite": "(ABS({0}) < CAST('inf' AS FLOAT))",
    "is_infinite": "(ABS({0}) = CAST('inf' AS FLOAT))",
}  # fmt: skip
