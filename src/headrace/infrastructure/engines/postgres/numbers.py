"""The functions on numbers in PostgreSQL's SQL. PostgreSQL ends the statement where a float overflows, underflows or has no
result; what is ours goes on with an infinity, zero, NaN or null. Not casts."""

from __future__ import annotations

from collections.abc import Sequence

from headrace.business.model.types import Date, Decimal, Float, Integer, Interval
from headrace.business.processing.expressions.ir import Call
from headrace.infrastructure.engines.postgres.calling import OWN, Make, as_result, own, written
from headrace.infrastructure.engines.postgres.types import postgres_type
from headrace.infrastructure.engines.sql.dialect import Lowering

_FLOATS = {"+": "float_sum", "-": "float_difference", "*": "float_product", "/": "float_quotient", "%": "float_remainder"}


def _checked(sql: str, e: Call) -> str:
    """A number whose type may be exceeded: an error then, never a number of too many digits."""
    if isinstance(e.type, Integer) and e.type.bits == 128:
        return f"{OWN}in_range({sql}, {e.type.lowest}, {e.type.highest})"
    return as_result(sql, e) if isinstance(e.type, Decimal) and e.type.precision == 38 else sql


def _arithmetic(sign: str) -> Make:
    def lower(e: Call, args: Sequence[str]) -> str:
        left, right = args
        if isinstance(e.type, Float):
            return f"{OWN}{_FLOATS[sign]}({left}, {right})"
        if isinstance(e.args[0].type, Date):
            if isinstance(e.args[1].type, Date):
                return f"CAST(({left} - {right}) AS bigint)"
            right = f"CAST({right} AS integer)"
        return _checked(f"({left} {sign} {right})", e)

    return lower


def _multiply(e: Call, args: Sequence[str]) -> str:
    if isinstance(e.type, Interval):
        return f"({args[0]} * CAST({args[1]} AS double precision))"
    return _arithmetic("*")(e, args)


def _over_zero(sign: str) -> Lowering:
    """Null instead of an error; a literal divisor needs no test."""

    def lower(e: Call, args: Sequence[str]) -> str:
        safe = args[1] if written(e.args[1]) else f"nullif({args[1]}, 0)"
        if isinstance(e.type, Float):
            return f"{OWN}{_FLOATS[sign]}({args[0]}, {safe})"
        whole = f"div({args[0]}, {safe})" if postgres_type(e.type).startswith("numeric") else f"({args[0]} / {safe})"
        return _checked(whole if sign == "/" else f"({args[0]} % {safe})", e)

    return lower


def _abs(e: Call, args: Sequence[str]) -> str:
    value = args[0] if e.type == e.args[0].type else as_result(args[0], e)
    return _checked(f"abs({value})", e)


def _round(e: Call, args: Sequence[str]) -> str:
    digits = written(e.args[1]) if len(e.args) > 1 else 0
    places = digits if isinstance(digits, int) else 0
    if len(e.args) > 1 and digits is None:
        return f"CAST(NULL AS {postgres_type(e.type)})"
    kind = e.args[0].type
    if isinstance(e.type, Float):
        value = f"CAST({args[0]} AS double precision)" if kind == Float(32) else args[0]
        rounded = f"{OWN}rounded({value}, {places})" if places else f"{OWN}rounded({value})"
        return as_result(rounded, e) if e.type == Float(32) else rounded
    if (isinstance(kind, Integer) and places >= 0) or (isinstance(kind, Decimal) and places >= kind.scale):
        return args[0]
    rounded = f"round(CAST({args[0]} AS numeric), {places})"
    if isinstance(e.type, Integer):
        return as_result(f"{OWN}in_range({rounded}, {e.type.lowest}, {e.type.highest})", e)
    return as_result(rounded, e)


def _to_whole(name: str) -> Lowering:
    def lower(e: Call, args: Sequence[str]) -> str:
        if isinstance(e.type, Integer):
            return args[0]
        return as_result(f"{name}({args[0]})", e) if e.type != Float(64) else f"{name}({args[0]})"

    return lower


def _negate(e: Call, args: Sequence[str]) -> str:
    return _checked(f"(- {args[0]})", e)


def _to_hex(e: Call, args: Sequence[str]) -> str:
    wide = postgres_type(e.args[0].type).startswith("numeric")
    digits = f"{OWN}hex_digits({args[0]})" if wide else f"to_hex(CAST({args[0]} AS bigint))"
    return f"CASE WHEN {args[0]} >= 0 THEN {digits} END"


NUMBERS: dict[str, Lowering] = {
    "add": _arithmetic("+"), "subtract": _arithmetic("-"), "multiply": _multiply,
    "divide": _over_zero("/"), "integer_divide": _over_zero("/"), "modulo": _over_zero("%"), "negate": _negate,
    "abs": _abs, "sign": "CAST(sign({0}) AS bigint)", "round": _round,
    "floor": _to_whole("floor"), "ceil": _to_whole("ceil"), "trunc": _to_whole("trunc"),
    "sqrt": "CASE WHEN NOT {0} < 0 THEN sqrt({0}) END",
    "power": "CASE WHEN NOT (({0} < 0 AND {1} <> trunc({1})) OR ({0} = 0 AND {1} < 0)) THEN pg_temp.float_power({0}, {1}) END",
    "exp": own("exponential"), "ln": "CASE WHEN {0} > 0 THEN ln({0}) END", "log10": "CASE WHEN {0} > 0 THEN log({0}) END",
    "log2": "CASE WHEN {0} > 0 THEN pg_temp.log2({0}) END",
    "sin": "CASE WHEN abs({0}) <> 'Infinity' THEN sin({0}) END",
    "cos": "CASE WHEN abs({0}) <> 'Infinity' THEN cos({0}) END",
    "atan2": "atan2({0}, {1})",
    "asin": "CASE WHEN abs({0}) <= 1 OR {0} = 'NaN' THEN asin({0}) END",
    "acos": "CASE WHEN abs({0}) <= 1 OR {0} = 'NaN' THEN acos({0}) END",
    "radians": "pg_temp.float_product({0}, CAST('0.017453292519943295' AS double precision))",
    "is_nan": "({0} = 'NaN')", "is_finite": "(abs({0}) < 'Infinity')", "is_infinite": "(abs({0}) = 'Infinity')",
    "to_hex": _to_hex,
}  # fmt: skip
