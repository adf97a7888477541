"""The functions on dates and times in Spark's SQL. The session's time zone has to be UTC, in which instants are read."""

from __future__ import annotations

from collections.abc import Sequence

from headrace.business.model.types import Timestamp
from headrace.business.processing.expressions.ir import Call
from headrace.infrastructure.engines.spark.calling import as_result, written
from headrace.infrastructure.engines.spark.time_formats import read_moment, write_moment
from headrace.infrastructure.engines.sql.dialect import Lowering

_PARTS = {
    "year": "year({0})", "quarter": "quarter({0})", "month": "month({0})", "week": "weekofyear({0})", "day": "day({0})",
    "dayofyear": "dayofyear({0})", "dayofweek": "(dayofweek({0}) - 1)", "isodow": "(weekday({0}) + 1)",
    "isoyear": "extract(YEAROFWEEK FROM {0})", "hour": "hour({0})", "minute": "minute({0})", "second": "second({0})",
    "microsecond": "pmod(unix_micros(CAST({0} AS TIMESTAMP)), 60000000L)",
    "millisecond": "(pmod(unix_micros(CAST({0} AS TIMESTAMP)), 60000000L) div 1000L)",
}  # fmt: skip
_MONTHS = {"month": 1, "quarter": 3, "year": 12}
_MICROSECONDS = {"microsecond": 1, "millisecond": 1_000, "second": 10**6, "minute": 60 * 10**6, "hour": 3600 * 10**6}


def _clock(e: Call, args: Sequence[str], i: int) -> str:
    """An argument as a timestamp: of an instant what a clock in UTC shows."""
    kind = e.args[i].type
    return args[i] if isinstance(kind, Timestamp) and not kind.zone else f"CAST({args[i]} AS TIMESTAMP_NTZ)"


def _micros(sql: str) -> str:
    return f"unix_micros(CAST({sql} AS TIMESTAMP))"


def _part(name: str) -> Lowering:
    return lambda e, args: f"CAST({_PARTS[name].format(_clock(e, args, len(args) - 1))} AS BIGINT)"


def _date_part(e: Call, args: Sequence[str]) -> str:
    part = written(e.args[0])
    if part is None:
        return "CAST(NULL AS BIGINT)"
    return f"CAST({_PARTS[str(part)].format(_clock(e, args, 1))} AS BIGINT)"


def _start(unit: str, clock: str) -> str:
    return f"CAST(date_trunc('{unit.upper()}', CAST({clock} AS TIMESTAMP)) AS TIMESTAMP_NTZ)"


def _date_trunc(e: Call, args: Sequence[str]) -> str:
    unit = written(e.args[0])
    return as_result("NULL", e) if unit is None else as_result(_start(str(unit), _clock(e, args, 1)), e)


def _date_diff(e: Call, args: Sequence[str]) -> str:
    """How many starts of the unit lie between: the starts of both are so many units apart."""
    unit = written(e.args[0])
    if unit is None:
        return as_result("NULL", e)
    start, stop = (_start(str(unit), _clock(e, args, i)) for i in (1, 2))
    return _between(str(unit), start, stop)


def _date_sub(e: Call, args: Sequence[str]) -> str:
    """How many whole units have gone by."""
    unit = written(e.args[0])
    if unit is None:
        return as_result("NULL", e)
    start, stop = _clock(e, args, 1), _clock(e, args, 2)
    if unit in _MONTHS:
        return f"({_months_gone_by(start, stop)} div {_MONTHS[str(unit)]}L)"
    return _between(str(unit), start, stop)


def _between(unit: str, start: str, stop: str) -> str:
    if unit in _MICROSECONDS:
        length = f"{_MICROSECONDS[unit]}L"
        return f"(({_micros(stop)} - {_micros(start)}) div {length})"
    return f"timestampdiff({unit.upper()}, {start}, {stop})"


def _months_gone_by(start: str, stop: str) -> str:
    """As many as can be added without going beyond: the 31st of a shorter month is its last day."""
    between = f"((year({stop}) - year({start})) * 12 + month({stop}) - month({start}))"
    reached = f"{start} + make_interval(0, {between}, 0, 0, 0, 0, 0)"
    return (
        f"CAST(CASE WHEN {between} > 0 AND {reached} > {stop} THEN {between} - 1 WHEN {between} < 0 AND {reached} < {stop} "
        f"THEN {between} + 1 ELSE {between} END AS BIGINT)"
    )


def _at_time_zone(e: Call, args: Sequence[str]) -> str:
    """A time that a clock shows twice is the later of the two; Spark takes the earlier."""
    kind, zone = e.args[0].type, args[1]
    if isinstance(kind, Timestamp) and kind.zone:
        return f"convert_timezone('UTC', {zone}, CAST({args[0]} AS TIMESTAMP_NTZ))"
    clock = _clock(e, args, 0)
    earlier = f"convert_timezone({zone}, 'UTC', {clock})"
    day_after = f"{earlier} + make_interval(0, 0, 0, 1, 0, 0, 0)"
    shown_then = f"convert_timezone('UTC', {zone}, {day_after})"
    offset = f"({_micros(shown_then)} - {_micros(day_after)})"
    later = f"CAST(timestamp_micros({_micros(clock)} - {offset}) AS TIMESTAMP_NTZ)"
    return f"CAST(CASE WHEN convert_timezone('UTC', {zone}, {later}) = {clock} THEN {later} ELSE {earlier} END AS TIMESTAMP)"


def _on_clock(template: str) -> Lowering:
    return lambda e, args: template.format(_clock(e, args, 0))


def _strptime(e: Call, args: Sequence[str]) -> str:
    pattern = written(e.args[1])
    return as_result("NULL", e) if pattern is None else read_moment(args[0], str(pattern))


def _strftime(e: Call, args: Sequence[str]) -> str:
    pattern = written(e.args[1])
    return "CAST(NULL AS STRING)" if pattern is None else write_moment(_clock(e, args, 0), str(pattern))


def _make_date(_: Call, args: Sequence[str]) -> str:
    year, month, day = args
    padded = f"concat(lpad(CAST({year} AS STRING), 4, '0'), '-', {month}, '-', {day})"
    given = f"{year} BETWEEN 1 AND 9999 AND {month} BETWEEN 1 AND 12 AND {day} BETWEEN 1 AND 31"
    return f"CASE WHEN {given} THEN try_cast({padded} AS DATE) END"


def _make_timestamp(_: Call, args: Sequence[str]) -> str:
    year, month, day, hour, minute, second = args
    inside = (
        f"{year} BETWEEN 1 AND 9999 AND {month} BETWEEN 1 AND 12 AND {day} BETWEEN 1 AND 31 AND {hour} BETWEEN 0 AND 23 "
        f"AND {minute} BETWEEN 0 AND 59 AND {second} >= 0 AND {second} < 60"
    )
    start = f"try_cast(concat(lpad(CAST({year} AS STRING), 4, '0'), '-', {month}, '-', {day}) AS TIMESTAMP_NTZ)"
    micros = f"({hour} * 3600000000L + {minute} * 60000000L + CAST(rint({second} * 1000000D) AS BIGINT))"
    return f"CASE WHEN {inside} THEN CAST(timestamp_micros({_micros(start)} + {micros}) AS TIMESTAMP_NTZ) END"


def _interval(place: int) -> str:
    """So many of a unit, by its place among the arguments of `make_interval`."""
    return f"make_interval({', '.join('CAST({0} AS INT)' if i == place else '0' for i in range(7))})"


def _seconds(each: int) -> str:
    return f"make_interval(0, 0, 0, 0, 0, 0, CAST({{0}} * {each} AS DECIMAL(18, 6)))"


TIMES: dict[str, Lowering] = {
    **{name: _part(name) for name in ("year", "quarter", "month", "week", "day", "dayofyear", "dayofweek", "isodow")},
    **{name: _part(name) for name in ("hour", "minute", "second")},
    "date_part": _date_part, "date_trunc": _date_trunc, "date_diff": _date_diff, "date_sub": _date_sub,
    "date": _on_clock("CAST({} AS DATE)"), "last_day": _on_clock("last_day(CAST({} AS DATE))"),
    "make_date": _make_date, "make_timestamp": _make_timestamp, "strptime": _strptime, "strftime": _strftime,
    "at_time_zone": _at_time_zone,
    "epoch": _on_clock("(CAST(unix_micros(CAST({} AS TIMESTAMP)) AS DOUBLE) / 1000000D)"),
    "epoch_us": _on_clock("unix_micros(CAST({} AS TIMESTAMP))"),
    "epoch_ms": _on_clock("CAST(floor(unix_micros(CAST({} AS TIMESTAMP)) / 1000BD) AS BIGINT)"),
    "from_epoch_us":
        "CASE WHEN {0} BETWEEN -62135596800000000 AND 253402300799999999 THEN CAST(timestamp_micros({0}) AS TIMESTAMP_NTZ) END",
    "to_timestamp":
        "CASE WHEN {0} BETWEEN -62135596800 AND 253402300799.999999D THEN timestamp_micros(CAST(rint({0} * 1000000D) AS BIGINT)) END",
    "to_years": _interval(0), "to_months": _interval(1), "to_weeks": _interval(2), "to_days": _interval(3),
    "to_hours": _seconds(3600), "to_minutes": _seconds(60), "to_seconds": _seconds(1),
}  # fmt: skip
