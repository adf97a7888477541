"""The functions on numbers in Spark's SQL, whose session is strict (ANSI): what does not fit ends the statement. Not casts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from headrace.business.model.types import Date, Decimal, Float, Integer, Interval
from headrace.business.processing.expressions.ir import Call
from headrace.infrastructure.engines.spark.calling import args_in, as_result, as_type, written
from headrace.infrastructure.engines.spark.types import spark_type
from headrace.infrastructure.engines.sql.dialect import Lowering

_DOUBLE = Float(64)


def _sum(sign: str) -> Lowering:
    def lower(e: Call, args: Sequence[str]) -> str:
        first, second = e.args[0].type, e.args[1].type
        if isinstance(e.type, Date):
            return f"date_add({args[0]}, CAST({'' if sign == '+' else '- '}{args[1]} AS INT))"
        if isinstance(first, Date) and isinstance(second, Date):
            return f"CAST(datediff({args[0]}, {args[1]}) AS BIGINT)"
        if isinstance(second, Interval):
            moment = as_type(args[0], e.type) if first != e.type else args[0]
            return f"({moment} {sign} {args[1]})"
        return _exactly(sign, e, args)

    return lower


def _exactly(sign: str, e: Call, args: Sequence[str]) -> str:
    left, right = args_in(e.type, e, args)
    whole = f"({left} {sign} {right})"
    return as_result(whole, e) if isinstance(e.type, Decimal) else whole


def _multiply(e: Call, args: Sequence[str]) -> str:
    if isinstance(e.type, Interval):
        return f"({args[0]} * {args[1]})"
    return _exactly("*", e, args)


def _over_zero(sign: str) -> Lowering:
    """Null instead of an error; a literal divisor needs no test."""

    def lower(e: Call, args: Sequence[str]) -> str:
        left, right = args_in(e.type, e, args)
        safe = right if written(e.args[1]) else f"nullif({right}, {as_type('0', e.args[1].type)})"
        whole = f"({left} {sign} {safe})"
        return as_result(whole, e) if isinstance(e.type, Decimal) else whole

    return lower


def _abs(e: Call, args: Sequence[str]) -> str:
    (value,) = args_in(e.type, e, args)
    if spark_type(e.type).startswith("DECIMAL"):
        return f"CASE WHEN {value} < 0 THEN {_less(value, e)} ELSE {as_result(value, e)} END"
    return f"abs({value})"


def _less(value: str, e: Call) -> str:
    """Zero less a decimal: Spark's own sign would keep 34 of its 38 digits."""
    return as_result(f"({as_type('0', e.type)} - {value})", e)


def _sign(e: Call, args: Sequence[str]) -> str:
    nan = f"WHEN isnan({args[0]}) THEN 0L " if isinstance(e.args[0].type, Float) else ""
    return f"CASE {nan}WHEN {args[0]} > 0 THEN 1L WHEN {args[0]} < 0 THEN -1L WHEN {args[0]} IS NOT NULL THEN 0L END"


def _nearest(x: str) -> str:
    """Halves away from zero: `rint` takes them to even, and `round` rounds the digits that a float is written with."""
    return f"CASE WHEN abs({x} - rint({x})) = 0.5D THEN {x} + 0.5D * signum({x}) ELSE rint({x}) END"


def _round(e: Call, args: Sequence[str]) -> str:
    digits = written(e.args[1]) if len(e.args) > 1 else 0
    places = digits if isinstance(digits, int) else 0
    if len(e.args) > 1 and digits is None:
        return f"CAST(NULL AS {spark_type(e.type)})"
    kind = e.args[0].type
    if isinstance(kind, Float):
        return as_result(_round_float(as_type(args[0], _DOUBLE) if kind.bits == 32 else args[0], places), e)
    if (isinstance(kind, Integer) and places >= 0) or (isinstance(kind, Decimal) and places >= kind.scale):
        return args[0]
    if isinstance(kind, Integer):
        rounded = as_result(f"round(CAST({args[0]} AS DECIMAL(38, 0)), {places})", e)
        return rounded if kind.signed else _unsigned(rounded, kind)
    if isinstance(kind, Decimal) and -places >= kind.precision - kind.scale:
        return _round_all(args[0], kind, places, e)
    return as_result(f"round({args[0]}, {places})", e)


def _unsigned(value: str, kind: Integer) -> str:
    """What is kept in a wider type, and may be too large for its own."""
    why = f"CAST(raise_error('a number does not fit {kind}') AS {spark_type(kind)})"
    return f"CASE WHEN {value} > {kind.highest} THEN {why} ELSE {value} END"


def _round_all(x: str, kind: Decimal, places: int, e: Call) -> str:
    """To a unit as large as the type: only its largest half becomes one."""
    unit = Decimal(38, 0)
    half = f"CAST('{5 * 10 ** (-places - 1)}' AS {spark_type(unit)})"
    one = (
        as_result(f"'{10**-places}'", e)
        if 10**-places < 10 ** (e.type.precision if isinstance(e.type, Decimal) else 38)
        else None
    )
    if one is None or -places > kind.precision - kind.scale:
        return f"CASE WHEN {x} IS NOT NULL THEN {as_result('0', e)} END"
    return f"CASE WHEN {x} >= {half} THEN {one} WHEN {x} <= - {half} THEN - {one} WHEN {x} IS NOT NULL THEN {as_result('0', e)} END"


def _round_float(x: str, places: int) -> str:
    if places == 0:
        return _nearest(x)
    unit = f"1e{abs(places)}D"
    if places < 0:
        return f"({_nearest(f'({x} / {unit})')} * {unit})"
    scaled = f"({x} * {unit})"
    return f"CASE WHEN abs({scaled}) < double('inf') THEN ({_nearest(scaled)}) / {unit} ELSE {x} END"


def _floor(x: str) -> str:
    return f"CASE WHEN rint({x}) > {x} THEN rint({x}) - 1D ELSE rint({x}) END"


def _ceil(x: str) -> str:
    return f"- ({_floor(f'(- {x})')})"


def _trunc(x: str) -> str:
    return f"CASE WHEN {x} < 0 THEN {_ceil(x)} ELSE {_floor(x)} END"


_OF_DECIMALS = {"floor": "floor({0})", "ceil": "ceil({0})", "trunc": "CASE WHEN {0} < 0 THEN ceil({0}) ELSE floor({0}) END"}


def _to_whole(name: str, of_float: Callable[[str], str]) -> Lowering:
    def lower(e: Call, args: Sequence[str]) -> str:
        if isinstance(e.type, Integer):
            return args[0]
        if isinstance(e.type, Float):
            return as_result(of_float(as_type(args[0], _DOUBLE) if e.args[0].type != _DOUBLE else args[0]), e)
        return as_result(_OF_DECIMALS[name].format(args[0]), e)

    return lower


def _negate(e: Call, args: Sequence[str]) -> str:
    (value,) = args_in(e.type, e, args)
    return _less(value, e) if spark_type(e.type).startswith("DECIMAL") else f"(- {value})"


def _where(condition: str, sql: str) -> str:
    return f"CASE WHEN {condition} THEN {sql} END"


NUMBERS: dict[str, Lowering] = {
    "add": _sum("+"), "subtract": _sum("-"), "multiply": _multiply,
    "divide": _over_zero("/"), "integer_divide": _over_zero("div"), "modulo": _over_zero("%"), "negate": _negate,
    "abs": _abs, "sign": _sign, "round": _round,
    "floor": _to_whole("floor", _floor), "ceil": _to_whole("ceil", _ceil), "trunc": _to_whole("trunc", _trunc),
    "sqrt": _where("NOT {0} < 0", "sqrt({0})"),
    "power": _where(f"NOT (({{0}} < 0 AND {{1}} <> {_trunc('{1}')}) OR ({{0}} = 0 AND {{1}} < 0))", "power({0}, {1})"),
    "exp": "exp({0})", "ln": _where("{0} > 0", "ln({0})"), "log10": _where("{0} > 0", "log10({0})"), "log2": _where("{0} > 0", "log2({0})"),
    "sin": _where("abs({0}) <> double('inf')", "sin({0})"), "cos": _where("abs({0}) <> double('inf')", "cos({0})"),
    "atan2": "atan2({0}, {1})",
    "asin": _where("abs({0}) <= 1 OR isnan({0})", "asin({0})"), "acos": _where("abs({0}) <= 1 OR isnan({0})", "acos({0})"),
    "radians": "({0} * 0.017453292519943295D)",
    "is_nan": _where("{0} IS NOT NULL", "isnan({0})"),
    "is_finite": _where("{0} IS NOT NULL", "(abs({0}) < double('inf'))"),
    "is_infinite": _where("{0} IS NOT NULL", "(abs({0}) = double('inf'))"),
    "to_hex": _where("{0} >= 0", "lower(hex(CAST({0} AS BIGINT)))"),
}  # fmt: skip
