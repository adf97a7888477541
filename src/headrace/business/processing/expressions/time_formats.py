"""Formats of dates and times in `strptime` letters: which letters there are. Not how engines read them."""

from __future__ import annotations

import re

LETTERS: dict[str, str] = {
    "%Y": "year, four digits",
    "%y": "year, two digits: 69 to 99 are 1969 to 1999, 00 to 68 are 2000 to 2068",
    "%m": "month",
    "%b": "month, the first three letters of its English name",
    "%B": "month, its English name",
    "%d": "day of the month",
    "%j": "day of the year",
    "%a": "day of the week, the first three letters of its English name",
    "%A": "day of the week, its English name",
    "%H": "hour, 0 to 23",
    "%I": "hour, 1 to 12",
    "%p": "AM or PM",
    "%M": "minute",
    "%S": "second",
    "%f": "fraction of a second, up to six digits",
    "%z": "offset from UTC, such as +0200, +02:00 or +02",
    "%%": "a percent sign",
    "%-d": "day of the month without a leading zero",
    "%-m": "month without a leading zero",
    "%-H": "hour without a leading zero",
    "%-I": "hour of twelve without a leading zero",
    "%-M": "minute without a leading zero",
    "%-S": "second without a leading zero",
}
_LETTER = re.compile(r"%-?.|%$", re.S)


def letters(pattern: str) -> list[str]:
    return _LETTER.findall(pattern)


def has_offset(pattern: str) -> bool:
    return "%z" in letters(pattern)


def format_problem(pattern: str) -> tuple[str, str] | None:
    """What is wrong with a format, and what to do about it."""
    for letter in letters(pattern):
        if letter not in LETTERS:
            return f"`{letter}` means nothing in a date format", f"known: {' '.join(LETTERS)}"
    if not letters(pattern):
        return f"`{pattern}` is no date format: it has no letters such as %Y", "for example `%d.%m.%Y`"
    return None
