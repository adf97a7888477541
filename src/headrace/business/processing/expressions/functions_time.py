"""The catalogue: dates, times and intervals. An instant (`timestamptz`) is read on the clock of UTC; `at time zone` reads another."""

from __future__ import annotations

from collections.abc import Sequence

from headrace.business.model.types import DataType, Timestamp
from headrace.business.processing.expressions.faults import BindError
from headrace.business.processing.expressions.function import STRICT, Function
from headrace.business.processing.expressions.ir import Constant, Expr
from headrace.business.processing.expressions.time_formats import format_problem, has_offset

_TIME = "Dates and times"


def _zone(args: Sequence[Expr]) -> None:
    zone = args[1]
    if isinstance(zone, Constant) and isinstance(zone.value, str) and not (zone.value == "UTC" or "/" in zone.value):
        raise BindError(f"`{zone.value}` is not a time zone", "time zones are named as in `Europe/Berlin`, or `UTC`", 1)


def _zoned(args: Sequence[Expr]) -> DataType:
    kind = args[0].type
    return Timestamp(zone=not (isinstance(kind, Timestamp) and kind.zone))


def _format(args: Sequence[Expr]) -> None:
    if isinstance(args[1], Constant) and isinstance(args[1].value, str) and (why := format_problem(args[1].value)):
        raise BindError(why[0], why[1], 1)


def _parsed(args: Sequence[Expr]) -> DataType:
    return Timestamp(zone=isinstance(args[1], Constant) and has_offset(args[1].value or ""))


def _time(signature: str, meaning: str, example: str, gives: str, *aliases: str, nulls: str = STRICT) -> Function:
    return Function(signature, meaning, example, gives, _TIME, nulls=nulls, aliases=aliases)


def _part(name: str, meaning: str, gives: str, *aliases: str) -> Function:
    return _time(f"{name}(value: moment) -> int64", meaning, f"{name}(timestamp '2013-02-03 04:05:06.789')", gives, *aliases)


def _interval(unit: str, gives: str) -> Function:
    return _time(
        f"to_{unit}(count: int64) -> interval",
        f"An interval of so many {unit}.",
        f"timestamp '2020-01-31 00:00:00' + to_{unit}(1)",
        gives,
    )


FUNCTIONS = (
    _part("year", "The year.", "2013"),
    _part("quarter", "The quarter, 1 to 4.", "1"),
    _part("month", "The month, 1 to 12.", "2"),
    _part("week", "The week of ISO 8601, 1 to 53: weeks begin on Monday, the first has the year's first Thursday.", "5", "weekofyear"),
    _part("day", "The day of the month.", "3", "dayofmonth"),
    _part("dayofyear", "The day of the year, 1 to 366.", "34"),
    _part("dayofweek", "The day of the week, 0 for Sunday to 6.", "0"),
    _part("isodow", "The day of the week, 1 for Monday to 7.", "7"),
    _part("hour", "The hour, 0 to 23; 0 for a date.", "4"),
    _part("minute", "The minute, 0 to 59.", "5"),
    _part("second", "The whole seconds, 0 to 59.", "6"),
    _time("date_part(part: part, value: moment) -> int64", "A part by its name, also written `extract(year from value)`. `millisecond` and `microsecond` count from the start of the minute, `isoyear` is the year to which the ISO week belongs.", "date_part('millisecond', timestamp '2013-02-03 04:05:06.789')", "6789", "datepart"),
    _time("date_trunc(unit: unit, value: moment) -> moment", "The start of the unit in which it lies; weeks begin on Monday.", "date_trunc('month', date '2013-02-28')", "date '2013-02-01'", "datetrunc"),
    _time("date_diff(unit: unit, start: moment, stop: moment) -> int64", "How many starts of a unit lie between them: from 23:59 to 00:01 is one day.", "date_diff('day', timestamp '2020-01-01 23:00:00', timestamp '2020-01-02 01:00:00')", "1", "datediff"),
    _time("date_sub(unit: unit, start: moment, stop: moment) -> int64", "How many whole units have gone by from one to the other, negative when the second is earlier: from 23:59 to 00:01 is no day.", "date_sub('day', timestamp '2020-01-01 23:00:00', timestamp '2020-01-02 01:00:00')", "0", "datesub"),
    Function("date(value: moment) -> date", "The day.", "date(timestamp '2013-02-03 04:05:06')", "date '2013-02-03'", _TIME),
    Function("time(value: moment) -> time", "The time of day.", "time(timestamp '2013-02-03 04:05:06')", "time '04:05:06'", _TIME),
    _time("last_day(value: moment) -> date", "The last day of its month.", "last_day(date '2020-02-01')", "date '2020-02-29'"),
    _time("make_date(year: int64, month: int64, day: int64) -> date", "The date; null when there is no such day in the years 1 to 9999.", "make_date(2020, 2, 29)", "date '2020-02-29'", nulls="null when an argument is null or there is no such day"),
    _time("make_timestamp(year: int64, month: int64, day: int64, hour: int64, minute: int64, second: float64) -> timestamp", "The timestamp; null when there is none in the years 1 to 9999. Seconds are rounded to microseconds.", "make_timestamp(2020, 2, 29, 23, 59, 1.5)", "timestamp '2020-02-29 23:59:01.5'", nulls="null when an argument is null or there is no such time"),
    Function("strptime(text: string, format: constant string) -> timestamp", "The timestamp that the text gives in this format; null when it does not. With an offset (`%z`) in the format it is a timestamptz.", "strptime('03.02.2013', '%d.%m.%Y')", "timestamp '2013-02-03 00:00:00'", _TIME, nulls="null when the text is null or is not in the format", aliases=("try_strptime",), result=_parsed, check=_format),
    Function("strftime(value: moment, format: constant string) -> string", "The moment as text in this format.", "strftime(date '2013-02-03', '%d.%m.%Y')", "'03.02.2013'", _TIME, check=_format),
    Function("at_time_zone(value: moment, zone: constant string) -> timestamp", "What the clocks of a zone show at an instant; or, of a timestamp, the instant at which they show it. A time that a change of clocks skips, or that occurs twice, is read in standard time.", "timestamptz '2013-07-01 12:00:00Z' at time zone 'Europe/Berlin'", "timestamp '2013-07-01 14:00:00'", _TIME, "operator", written="x at time zone 'Europe/Berlin'", result=_zoned, check=_zone),
    _time("epoch(value: moment) -> float64", "Seconds since the start of 1970 in UTC.", "epoch(timestamp '1970-01-02 00:00:00.5')", "86400.5"),
    _time("epoch_ms(value: moment) -> int64", "Whole milliseconds since the start of 1970 in UTC, rounded down.", "epoch_ms(timestamp '1970-01-01 00:00:01')", "1000"),
    _time("epoch_us(value: moment) -> int64", "Microseconds since the start of 1970 in UTC.", "epoch_us(timestamp '1970-01-01 00:00:01')", "1000000"),
    _time("from_epoch_us(count: int64) -> timestamp", "The timestamp so many microseconds after the start of 1970; null outside the years 1 to 9999.", "from_epoch_us(1500000)", "timestamp '1970-01-01 00:00:01.5'", nulls="null when the argument is null or too large"),
    _time("to_timestamp(seconds: float64) -> timestamptz", "The instant so many seconds after the start of 1970 in UTC; null outside the years 1 to 9999.", "to_timestamp(1.5)", "timestamptz '1970-01-01 00:00:01.5Z'", nulls="null when the argument is null or too large"),
    _interval("years", "timestamp '2021-01-31 00:00:00'"),
    _interval("months", "timestamp '2020-02-29 00:00:00'"),
    _interval("weeks", "timestamp '2020-02-07 00:00:00'"),
    _interval("days", "timestamp '2020-02-01 00:00:00'"),
    _interval("hours", "timestamp '2020-01-31 01:00:00'"),
    _interval("minutes", "timestamp '2020-01-31 00:01:00'"),
    _interval("seconds", "timestamp '2020-01-31 00:00:01'"),
)  # fmt: skip
