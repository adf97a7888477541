"""The functions on dates and times in PostgreSQL's SQL. The session's time zone has to be UTC, in which instants are read."""

from __future__ import annotations

from collections.abc import Sequence

from headrace.business.model.types import Date, Timestamp
from headrace.business.processing.expressions.ir import Call
from headrace.infrastructure.engines.postgres.calling import OWN, as_result, written
from headrace.infrastructure.engines.postgres.time_formats import read_moment, write_moment
from headrace.infrastructure.engines.sql.dialect import Lowering

_PARTS = {"dayofweek": "dow", "dayofyear": "doy", "millisecond": "milliseconds", "microsecond": "microseconds"}
_SECONDS = {"microsecond": "0.000001", "millisecond": "0.001", "second": "1", "minute": "60", "hour": "3600"}
_MONTHS = {"month": 1, "quarter": 3, "year": 12}


def _clock(e: Call, args: Sequence[str], i: int) -> str:
    """An argument as a timestamp: of an instant what a clock in UTC shows."""
    kind = e.args[i].type
    if isinstance(kind, Timestamp):
        return f"({args[i]} AT TIME ZONE 'UTC')" if kind.zone else args[i]
    return f"CAST({args[i]} AS timestamp)"


def _part(name: str) -> Lowering:
    part = _PARTS.get(name, name)
    whole = "trunc({})" if part in ("second", "milliseconds", "microseconds") else "{}"

    def lower(e: Call, args: Sequence[str]) -> str:
        value = f"extract({part} FROM {_clock(e, args, len(args) - 1)})"
        return f"CAST({whole.format(value)} AS bigint)"

    return lower


def _date_part(e: Call, args: Sequence[str]) -> str:
    part = written(e.args[0])
    if part is None:
        return "CAST(NULL AS bigint)"
    lowering = _part(str(part))
    return lowering(e, args) if callable(lowering) else ""


def _date_trunc(e: Call, args: Sequence[str]) -> str:
    start = f"date_trunc({args[0]}, {_clock(e, args, 1)})"
    if isinstance(e.type, Timestamp):
        return f"({start} AT TIME ZONE 'UTC')" if e.type.zone else start
    return as_result(start, e)


def _date_diff(e: Call, args: Sequence[str]) -> str:
    """How many starts of the unit lie between: the starts of both are so many units apart."""
    unit = str(written(e.args[0]))
    start, stop = (f"date_trunc('{unit}', {_clock(e, args, i)})" for i in (1, 2))
    if unit in _MONTHS:
        return f"(({OWN}months_of({stop}) - {OWN}months_of({start})) / {_MONTHS[unit]})"
    if unit in ("day", "week"):
        days = f"(CAST({stop} AS date) - CAST({start} AS date))"
        return f"CAST({days} / 7 AS bigint)" if unit == "week" else f"CAST({days} AS bigint)"
    return f"CAST(trunc(extract(epoch FROM {stop} - {start}) / {_SECONDS[unit]}) AS bigint)"


def _date_sub(e: Call, args: Sequence[str]) -> str:
    """How many whole units have gone by."""
    unit = str(written(e.args[0]))
    start, stop = _clock(e, args, 1), _clock(e, args, 2)
    if unit in _MONTHS:
        return f"({OWN}whole_months({start}, {stop}) / {_MONTHS[unit]})"
    length = {"day": "86400", "week": "604800"}.get(unit) or _SECONDS[unit]
    return f"CAST(trunc(extract(epoch FROM {stop} - {start}) / {length}) AS bigint)"


def _unit_known(lower: Lowering) -> Lowering:
    """A unit that is null gives null."""

    def known(e: Call, args: Sequence[str]) -> str:
        if written(e.args[0]) is None:
            return as_result("NULL", e)
        return lower(e, args) if callable(lower) else lower.format(*args)

    return known


def _at_time_zone(e: Call, args: Sequence[str]) -> str:
    value = f"CAST({args[0]} AS timestamp)" if isinstance(e.args[0].type, Date) else args[0]
    return f"({value} AT TIME ZONE {args[1]})"


def _on_clock(template: str) -> Lowering:
    return lambda e, args: template.format(_clock(e, args, 0))


def _strptime(e: Call, args: Sequence[str]) -> str:
    pattern = written(e.args[1])
    return as_result("NULL", e) if pattern is None else read_moment(args[0], str(pattern))


def _strftime(e: Call, args: Sequence[str]) -> str:
    pattern = written(e.args[1])
    return "CAST(NULL AS text)" if pattern is None else write_moment(_clock(e, args, 0), str(pattern))


_MICROSECONDS = "CAST(extract(epoch FROM {}) * 1000000 AS bigint)"

TIMES: dict[str, Lowering] = {
    **{name: _part(name) for name in ("year", "quarter", "month", "week", "day", "dayofyear", "dayofweek", "isodow")},
    **{name: _part(name) for name in ("hour", "minute", "second")},
    "date_part": _date_part, "date_trunc": _unit_known(_date_trunc), "date_diff": _unit_known(_date_diff),
    "date_sub": _unit_known(_date_sub),
    "date": _on_clock("CAST({} AS date)"), "time": _on_clock("CAST({} AS time)"),
    "last_day": _on_clock("CAST(date_trunc('month', {}) + interval '1 month' - interval '1 day' AS date)"),
    "make_date": f"{OWN}date_of({{0}}, {{1}}, {{2}})", "make_timestamp": f"{OWN}timestamp_of({{0}}, {{1}}, {{2}}, {{3}}, {{4}}, {{5}})",
    "strptime": _strptime, "strftime": _strftime, "at_time_zone": _at_time_zone,
    "epoch": _on_clock("CAST(extract(epoch FROM {}) AS double precision)"), "epoch_us": _on_clock(_MICROSECONDS),
    "epoch_ms": _on_clock("CAST(floor(extract(epoch FROM {}) * 1000) AS bigint)"),
    "from_epoch_us": "CASE WHEN {0} BETWEEN -62135596800000000 AND 253402300799999999 THEN timestamp '1970-01-01 00:00:00' "
    "+ {0} / 1000000 * interval '1 second' + {0} % 1000000 * interval '1 microsecond' END",
    "to_timestamp": "CASE WHEN {0} BETWEEN -62135596800 AND 253402300799.999999 THEN to_timestamp({0}) END",
    **{f"to_{unit}": f"make_interval({unit} => CAST({{0}} AS integer))" for unit in ("years", "months", "weeks", "days")},
    **{f"to_{unit}s": f"(CAST({{0}} AS double precision) * interval '1 {unit}')" for unit in ("hour", "minute", "second")},
}  # fmt: skip
