"""Cron expressions as people write them: which readings of a local clock they name. Not when those come about: zones are not known here.

Five fields, as in Vixie's cron, which Debian and the BSDs have: minute, hour, day of the month, month, day of the week, each `*`, a
value, a range, a list of them, or steps (`*/10`, `8-18/2`); names for months and weekdays; `@daily` and its kind. If neither of the day
fields begins with `*`, a day matches that fulfils either of them; else it has to fulfil both.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from headrace.business.model.schema import did_you_mean, suggest
from headrace.business.model.wording import Misworded

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_NICKNAMES = {
    "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
}  # fmt: skip
_EXAMPLE = "write minute, hour, day of the month, month and day of the week, such as `0 6 * * mon-fri`"
#: What other schedulers have and cron has not.
_FOREIGN = re.compile(r"[0-9]*L|L?W|[0-9]+[WC]|H(?:\(.*\))?(?:/[0-9]+)?|\?|[0-9A-Za-z]+#[0-9]+")
_LONGEST_MONTHS = {1: 31, 2: 29, 3: 31, 4: 30, 5: 31, 6: 30, 7: 31, 8: 31, 9: 30, 10: 31, 11: 30, 12: 31}


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    first: int
    last: int
    words: tuple[str, ...] = ()
    """Names of the values, from `first` on."""

    @property
    def allowed(self) -> str:
        named = f", or {self.words[0]} to {self.words[-1]}" if self.words else ""
        return f"allowed: {self.first} to {self.last}{named}"


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of the month", 1, 31),
    _Field("month", 1, 12, _MONTHS),
    # Both 0 and 7 are Sunday.
    _Field("day of the week", 0, 7, _WEEKDAYS),
)


@dataclass(frozen=True, slots=True)
class Cron:
    """A cron expression. Two are equal if they are written in the same way."""

    text: str
    minutes: tuple[int, ...] = field(compare=False)
    hours: tuple[int, ...] = field(compare=False)
    days: frozenset[int] = field(compare=False)
    months: frozenset[int] = field(compare=False)
    weekdays: frozenset[int] = field(compare=False)
    """Sunday is 0."""
    either_day: bool = field(compare=False)
    """Whether a day of the month *or* a day of the week is enough."""

    def __str__(self) -> str:
        return self.text

    @property
    def every_hour(self) -> bool:
        """Whether it names readings in all hours of a day, so that it counts time going by and not times of the day."""
        return len(self.hours) == 24

    def on(self, day: date) -> bool:
        """Whether it names readings on that day."""
        if day.month not in self.months:
            return False
        by_month, by_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return by_month or by_week if self.either_day else by_month and by_week

    def matches(self, reading: datetime) -> bool:
        """Whether it names this reading of a local clock."""
        whole_minute = reading.second == 0 and reading.microsecond == 0
        return whole_minute and self.on(reading.date()) and reading.hour in self.hours and reading.minute in self.minutes

    def readings(self, first: datetime, end: datetime) -> Iterator[datetime]:
        """The readings that it names, from `first` up to `end` exclusive, in the order of the calendar. Without zones."""
        day = first.date()
        while datetime.combine(day, time()) < end:
            if self.on(day):
                for hour in self.hours:
                    for minute in self.minutes:
                        reading = datetime.combine(day, time(hour, minute))
                        if first <= reading < end:
                            yield reading
            if day == date.max:
                return
            day = self._following(day)

    def _following(self, day: date) -> date:
        """The next day worth looking at."""
        if day.month in self.months or (day.year, day.month) == (date.max.year, date.max.month):
            return day + timedelta(days=1)
        return date(day.year + day.month // 12, day.month % 12 + 1, 1)


def parse_cron(text: str) -> Cron:
    """Read a cron expression. Raises `Misworded`, also for one that names no day of any year."""
    written = " ".join(text.split())
    fields = _nickname(written).split(" ") if written.startswith("@") else written.split(" ")
    if len(fields) != len(_FIELDS):
        raise Misworded(f"a cron expression has five fields, and `{written}` has {_count(written)}", _hint(written))
    minutes, hours, days, months, weekdays = (_values(text, kind) for text, kind in zip(fields, _FIELDS, strict=True))
    either = not fields[2].startswith("*") and not fields[4].startswith("*")
    if not either and not any(day <= _LONGEST_MONTHS[month] for month in months for day in days):
        raise Misworded(f"`{written}` never comes: no such month has a day {min(days)}", "for the ends of months write 28-31")
    return Cron(
        written,
        tuple(sorted(minutes)),
        tuple(sorted(hours)),
        frozenset(days),
        frozenset(months),
        frozenset(day % 7 for day in weekdays),
        either,
    )


def _nickname(written: str) -> str:
    if written.lower() in _NICKNAMES:
        return _NICKNAMES[written.lower()]
    if written.startswith("@every"):
        raise Misworded("`@every` is no part of cron", "write `every: 15 minutes` instead of `cron`")
    raise Misworded(f"there is no cron word `{written}`", did_you_mean(written, _NICKNAMES))


def _count(written: str) -> str:
    number = len(written.split())
    return "none" if not number else "one" if number == 1 else str(number)


def _hint(written: str) -> str:
    if len(written.split()) in (6, 7):
        return f"there is no field for seconds or years; {_EXAMPLE}, or `every: 30 seconds`"
    return _EXAMPLE


def _values(text: str, kind: _Field) -> set[int]:
    if foreign := next((part for part in text.split(",") if _is_foreign(part, kind)), None):
        hint = "write `*`" if foreign == "?" else f"{kind.allowed}; as `*`, values, ranges `a-b`, lists `a,b` and steps `*/n`"
        raise Misworded(f"`{foreign}` is no part of a cron expression of five fields", hint)
    found: set[int] = set()
    for part in text.split(","):
        found |= _range(part, kind)
    return found


def _is_foreign(part: str, kind: _Field) -> bool:
    return part.lower() not in kind.words and _FOREIGN.fullmatch(part) is not None


def _range(part: str, kind: _Field) -> set[int]:
    span, slash, step = part.partition("/")
    if span == "*":
        first, last = kind.first, min(kind.last, 6) if kind.words == _WEEKDAYS else kind.last
    elif "-" in span:
        begins, _, ends = span.partition("-")
        first, last = _value(begins, kind), _value(ends, kind)
        if last == 0 < first and kind.words == _WEEKDAYS:
            last = 7
        if first > last:
            wrapped = f"{begins}-{_last(kind)},{kind.first}-{ends}"
            raise Misworded(f"the range `{span}` of the {kind.name} ends before it begins", f"write `{wrapped}`")
    else:
        first = last = _value(span, kind)
        if slash:
            raise Misworded(
                f"`{part}` is a step without a range for the {kind.name}", f"write `{span}-{_last(kind)}/{step}` or `*/{step}`"
            )
    return set(range(first, last + 1, _step(step, part, kind, last - first + 1) if slash else 1))


def _last(kind: _Field) -> int:
    return 6 if kind.words == _WEEKDAYS else kind.last


def _step(step: str, part: str, kind: _Field, length: int) -> int:
    if not _is_number(step) or int(step) == 0:
        raise Misworded(f"`{part}` has no step for the {kind.name}", "a step is a whole number from 1 on, such as `*/10`")
    if int(step) > length:
        longer = f"; write `every: {step} {kind.name}s`" if kind.name in ("minute", "hour") else ""
        raise Misworded(f"the step of `{part}` is longer than the {kind.name}s it steps through", f"at most {length}{longer}")
    return int(step)


def _value(text: str, kind: _Field) -> int:
    if text.lower() in kind.words:
        return kind.words.index(text.lower()) + kind.first
    if not _is_number(text):
        near = suggest(text[:3], kind.words) if text else None
        hint = f"did you mean `{near}`? {kind.allowed}" if near else kind.allowed
        raise Misworded(f"`{text}` is not a {kind.name}" if text else f"a {kind.name} is missing", hint)
    if not kind.first <= int(text) <= kind.last:
        raise Misworded(f"there is no {kind.name} {text}", kind.allowed)
    return int(text)


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[0-9]{1,4}", text) is not None


def _cron(written: Any) -> Cron:
    if isinstance(written, Cron):
        return written
    if not isinstance(written, str):
        raise Misworded("a cron expression is a text of five fields", f"{_EXAMPLE}, in quotes")
    return parse_cron(written)


#: An option that is a cron expression.
CronOption = Annotated[
    Cron,
    BeforeValidator(_cron),
    PlainSerializer(str, return_type=str),
    WithJsonSchema(
        {
            "type": "string",
            "description": "A cron expression of five fields",
            "examples": ["0 6 * * mon-fri", "*/15 * * * *", "@daily"],
        }
    ),
]
