"""Lengths of time as people write them: `8 weeks`, `90 minutes`, `6h`, `1 day 12 hours`. Not points in time, and not calendar
spans: a month has no length."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from headrace.business.model.schema import suggest
from headrace.business.model.wording import Misworded

#: The units from the longest, each with the words for it; the first is the one that is written.
_UNITS: tuple[tuple[tuple[str, ...], timedelta], ...] = (
    (("week", "weeks", "w"), timedelta(weeks=1)),
    (("day", "days", "d"), timedelta(days=1)),
    (("hour", "hours", "h"), timedelta(hours=1)),
    (("minute", "minutes", "min", "m"), timedelta(minutes=1)),
    (("second", "seconds", "sec", "s"), timedelta(seconds=1)),
    (("millisecond", "milliseconds", "ms"), timedelta(milliseconds=1)),
)
_BY_WORD = {word: (rank, length) for rank, (words, length) in enumerate(_UNITS) for word in words}
_ALLOWED = "allowed are weeks, days, hours, minutes, seconds and milliseconds"
_EXAMPLE = "write whole numbers and units, such as `8 weeks`, `90 minutes` or `1 day 12 hours`"
_CALENDAR = {"month", "months", "quarter", "quarters", "year", "years"}
_PART = re.compile(r"([0-9]+)\s*([A-Za-z]+)")
_WHOLE = re.compile(r"[0-9]+\s*[A-Za-z]+(\s*[0-9]+\s*[A-Za-z]+)*")


def parse_duration(text: str) -> timedelta:
    """Read a written duration: whole numbers, each with its unit, from the longest unit to the shortest. Raises `Misworded`."""
    written = text.strip()
    if re.fullmatch(r"[0-9.,]+", written):
        raise Misworded(f"`{written}` has no unit", f"write `{written} days`, say; {_ALLOWED}")
    if not _WHOLE.fullmatch(written):
        raise Misworded(f"`{written}` is not a duration", _EXAMPLE)
    total, last = timedelta(), -1
    for count, word in _PART.findall(written):
        rank, length = _unit(word)
        if rank <= last:
            raise Misworded(f"`{written}` must go from the longest unit to the shortest, each once", _EXAMPLE)
        last = rank
        try:
            total += int(count) * length
        except OverflowError:
            raise Misworded(f"`{written}` is longer than time can be counted", "at most 999,999,999 days") from None
    return total


def _unit(word: str) -> tuple[int, timedelta]:
    if word in _BY_WORD:
        return _BY_WORD[word]
    if word.lower() in _CALENDAR:
        raise Misworded(f"a {word.lower().rstrip('s')} has no fixed length", f"write days or weeks; {_ALLOWED}")
    near = suggest(word, _BY_WORD)
    raise Misworded(f"`{word}` is not a unit of time", (f"did you mean `{near}`? " if near else "") + _ALLOWED)


def format_duration(length: timedelta) -> str:
    """The duration in words that `parse_duration` reads back: `1 day 12 hours`."""
    parts, rest = [], length
    for words, unit in _UNITS:
        count, rest = divmod(rest, unit)
        if count:
            parts.append(f"{count} {words[0] if count == 1 else words[1]}")
    return " ".join(parts) or "0 seconds"


def _duration(written: Any) -> timedelta:
    if isinstance(written, str):
        return parse_duration(written)
    if not isinstance(written, timedelta):
        raise Misworded("a duration needs a unit", f"{_EXAMPLE}; {_ALLOWED}")
    if written < timedelta():
        raise Misworded("a duration cannot be negative", _EXAMPLE)
    if written.microseconds % 1000:
        raise Misworded("a duration is counted in whole milliseconds", _EXAMPLE)
    return written


#: An option that is a duration.
Duration = Annotated[
    timedelta,
    BeforeValidator(_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema({"type": "string", "description": "A duration", "examples": ["8 weeks", "90 minutes", "1 day 12 hours"]}),
]
