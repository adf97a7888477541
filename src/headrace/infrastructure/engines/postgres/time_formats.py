"""Formats of dates and times in `strptime` letters, for PostgreSQL: read by a regular expression, written by `to_char`."""

from __future__ import annotations

import re

from headrace.business.processing.expressions.time_formats import has_offset, letters
from headrace.infrastructure.engines.postgres.calling import OWN
from headrace.infrastructure.engines.postgres.literals import text

_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def _any_case(words: tuple[str, ...]) -> str:
    return "|".join("".join(f"[{c.lower()}{c.upper()}]" for c in word) for word in words)


_READ = {
    "%Y": "[0-9]{1,4}", "%f": "[0-9]{1,6}", "%j": "[0-9]{1,3}", "%p": "[AaPp][Mm]",
    "%b": _any_case(tuple(m[:3] for m in _MONTHS)), "%B": _any_case(_MONTHS), "%a": _any_case(tuple(d[:3] for d in _DAYS)),
    "%A": _any_case(_DAYS), "%z": r"[+-][0-9]{2}(?::[0-9]{2}(?::[0-9]{2})?|[0-9]{2})?",
}  # fmt: skip
_WRITTEN = {
    "%Y": "YYYY", "%y": "YY", "%m": "MM", "%b": "Mon", "%B": "FMMonth", "%d": "DD", "%j": "DDD", "%a": "Dy", "%A": "FMDay", "%H": "HH24",
    "%I": "HH12", "%p": "AM", "%M": "MI", "%S": "SS", "%f": "US", "%z": '"+00"', "%%": '"%"', "%-d": "FMDD", "%-m": "FMMM",
    "%-H": "FMHH24", "%-I": "FMHH12", "%-M": "FMMI", "%-S": "FMSS",
}  # fmt: skip
_PIECE = re.compile(r"%-?.|[^%]+", re.S)


def read_moment(value: str, pattern: str) -> str:
    """The timestamp, or instant, that a text gives in a format. A space in the format is any white space, or none."""
    found, parts = [], []
    for piece in _PIECE.findall(pattern):
        letter = piece.replace("%-", "%")
        if not piece.startswith("%"):
            found.append("".join(r"\s*" if c.isspace() else re.sub(r"([^\w])", r"\\\1", c) for c in piece))
        elif letter == "%%":
            found.append("%")
        else:
            found.append(f"({_READ.get(letter, '[0-9]{1,2}')})")
            parts.append(letter[1])
    whole = rf"^\s*{''.join(found)}\s*$"
    read = f'{OWN}moment_in({value} COLLATE "C", {text(whole)}, {text("".join(parts))})'
    return f"({read} AT TIME ZONE 'UTC')" if has_offset(pattern) else read


def write_moment(value: str, pattern: str) -> str:
    pieces = [_WRITTEN[piece] if piece in letters(pattern) else _quoted(piece) for piece in _PIECE.findall(pattern)]
    return f"to_char({value}, {text(''.join(pieces))})"


def _quoted(words: str) -> str:
    escaped = words.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
