"""The functions on dates and times in Snowflake's SQL. The session's zone is UTC, in which instants are read, and its weeks begin on
Monday."""

from __future__ import annotations

from collections.abc import Sequence

from headrace.business.processing.expressions.ir import Call
from headrace.infrastructure.engines.snowflake.calling import Make, as_result, written
from headrace.infrastructure.engines.sql.dialect import Lowering

_PARTS = {
    "year": "YEAR({})", "quarter": "QUARTER({})", "month": "MONTH({})", "day": "DAY({})", "hour": "HOUR({})", "minute": "MINUTE({})",
    "second": "SECOND({})", "week": "WEEKISO({})", "dayofyear": "DAYOFYEAR({})", "dayofweek": "MOD(DAYOFWEEKISO({}), 7)",
    "isodow": "DAYOFWEEKISO({})", "isoyear": "YEAROFWEEKISO({})",
}  # fmt: skip
#: Parts that Snowflake does not have of a moment, or not as we mean them.
UNKNOWN_PARTS = {"millisecond", "microsecond"}


def _moment(e: Call, args: Sequence[str], i: int) -> str:
    """Of a date its midnight, where a clock is asked for."""
    return args[i] if str(e.args[i].type) != "date" else f"CAST({args[i]} AS TIMESTAMP_NTZ(6))"


def _part(name: str) -> Make:
    return lambda e, args: as_result(_PARTS[name].format(_moment(e, args, len(args) - 1)), e)


def _date_part(e: Call, args: Sequence[str]) -> str:
    part = written(e.args[0])
    return as_result("NULL", e) if part is None else _part(str(part))(e, args)


def _date_trunc(e: Call, args: Sequence[str]) -> str:
    if written(e.args[0]) is None:
        return as_result("NULL", e)
    return as_result(f"DATE_TRUNC({args[0]}, {_moment(e, args, 1)})", e)


def _date_diff(e: Call, args: Sequence[str]) -> str:
    """How many starts of the unit lie between."""
    unit = written(e.args[0])
    if unit is None:
        return as_result("NULL", e)
    return as_result(f"DATEDIFF({unit}, {_moment(e, args, 1)}, {_moment(e, args, 2)})", e)


def _microseconds(e: Call, args: Sequence[str]) -> str:
    return f"DATE_PART(EPOCH_MICROSECOND, {_moment(e, args, 0)})"


TIMES: dict[str, Lowering] = {
    **{name: _part(name) for name in ("year", "quarter", "month", "week", "day", "dayofyear", "dayofweek", "isodow")},
    **{name: _part(name) for name in ("hour", "minute", "second")},
    "date_part": _date_part, "date_trunc": _date_trunc, "date_diff": _date_diff,
    "date": "CAST({0} AS DATE)", "time": "CAST(CAST({0} AS TIMESTAMP_NTZ(6)) AS TIME(6))",
    "last_day": "LAST_DAY(CAST({0} AS DATE))",
    "epoch": lambda e, args: f"(CAST({_microseconds(e, args)} AS FLOAT) / 1000000)",
    "epoch_us": lambda e, args: as_result(_microseconds(e, args), e),
    "from_epoch_us": "CASE WHEN {0} BETWEEN -62135596800000000 AND 253402300799999999 THEN TO_TIMESTAMP_NTZ({0}, 6) END",
    "epoch_ms": lambda e, args: as_result(f"FLOOR({_microseconds(e, args)} * CAST('0.001' AS NUMBER(3, 3)))", e),
}  # fmt: skip
