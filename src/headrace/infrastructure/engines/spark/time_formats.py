"""Formats of dates and times in `strptime` letters, for Spark: read by a regular expression, whose parts are put together in the one
notation that Spark casts; written piece by piece."""

from __future__ import annotations

import re

from headrace.business.processing.expressions.time_formats import has_offset
from headrace.infrastructure.engines.spark.naming import text

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
_PIECE = re.compile(r"%-?.|[^%]+", re.S)


def _any_case(words: tuple[str, ...]) -> str:
    return "|".join("".join(f"[{c.lower()}{c.upper()}]" for c in word) for word in words)


#: A year in four digits is 1000 or later.
_READ = {
    "%Y": "[1-9][0-9]{3}", "%f": "[0-9]{1,6}", "%j": "[0-9]{1,3}", "%p": "[AaPp][Mm]",
    "%b": _any_case(tuple(m[:3] for m in _MONTHS)), "%B": _any_case(_MONTHS), "%a": _any_case(tuple(d[:3] for d in _DAYS)),
    "%A": _any_case(_DAYS), "%z": "[+-][0-9]{2}(?::?[0-9]{2})?",
}  # fmt: skip


def read_moment(value: str, pattern: str) -> str:
    """The timestamp, or instant, that a text gives in a format. A space in the format is any white space, or none."""
    found, parts = [], []
    for piece in _PIECE.findall(pattern):
        letter = piece.replace("%-", "%")
        if not piece.startswith("%"):
            found.append("".join(r"\s*" if c.isspace() else rf"\x{{{ord(c):X}}}" for c in piece))
        elif letter == "%%":
            found.append("%")
        else:
            found.append(f"({_READ.get(letter, '[0-9]{1,2}')})")
            parts.append(letter)
    whole = text(rf"\A\s*{''.join(found)}\s*\z")
    groups = {letter: f"regexp_extract({value}, {whole}, {i})" for i, letter in enumerate(parts, 1)}
    return f"CASE WHEN {value} RLIKE {whole} THEN {_moment(groups, instant=has_offset(pattern))} END"


def _moment(groups: dict[str, str], *, instant: bool) -> str:
    seconds = groups.get("%S", "'0'")
    fraction = f"rpad({groups['%f']}, 6, '0')" if "%f" in groups else "'0'"
    day = f"{_year(groups)}, '-', {_month(groups)}, '-', {groups.get('%d', chr(39) + '1' + chr(39))}"
    clock = f"{_hour(groups)}, ':', {groups.get('%M', chr(39) + '0' + chr(39))}, ':', {seconds}, '.', {fraction}"
    zone = f", {_offset(groups['%z'])}" if instant else ""
    kind = "TIMESTAMP" if instant else "TIMESTAMP_NTZ"
    moment = f"try_cast(concat({day}, ' ', {clock}{zone}) AS {kind})"
    if "%j" not in groups:
        return moment
    number = f"CAST({groups['%j']} AS INT)"
    shifted = f"{moment} + make_interval(0, 0, 0, {number} - 1, 0, 0, 0)"
    return f"CASE WHEN {number} >= 1 AND year({shifted}) = year({moment}) THEN {shifted} END"


def _year(groups: dict[str, str]) -> str:
    if "%Y" in groups:
        return groups["%Y"]
    if "%y" in groups:
        number = f"CAST({groups['%y']} AS INT)"
        return f"CAST(CASE WHEN {number} >= 69 THEN 1900 ELSE 2000 END + {number} AS STRING)"
    return "'1900'"


def _month(groups: dict[str, str]) -> str:
    for letter in ("%b", "%B"):
        if letter in groups:
            places = ", ".join(text(name[:3].lower()) for name in _MONTHS)
            return f"CAST(array_position(array({places}), lower(left({groups[letter]}, 3))) AS STRING)"
    return groups.get("%m", "'1'")


def _hour(groups: dict[str, str]) -> str:
    if "%I" not in groups:
        return groups.get("%H", "'0'")
    number = f"CAST({groups['%I']} AS INT)"
    late = f"CASE WHEN upper({groups['%p']}) = 'PM' THEN 12 ELSE 0 END" if "%p" in groups else "0"
    return f"CASE WHEN {number} BETWEEN 1 AND 12 THEN CAST({number} % 12 + {late} AS STRING) ELSE '99' END"


def _offset(group: str) -> str:
    """With minutes, and a colon before them."""
    return f"concat(left({group}, 3), ':', CASE WHEN length({group}) > 3 THEN right({group}, 2) ELSE '00' END)"


def _padded(sql: str, width: int) -> str:
    return f"lpad(CAST({sql} AS STRING), {width}, '0')"


def _named(names: tuple[str, ...], place: str, length: int | None) -> str:
    shown = ", ".join(text(name[:length]) for name in names)
    return f"element_at(array({shown}), {place})"


def write_moment(x: str, pattern: str) -> str:
    """The text of a timestamp in a format."""
    twelve = f"((hour({x}) + 11) % 12 + 1)"
    written = {
        "%Y": _padded(f"year({x})", 4), "%y": _padded(f"year({x}) % 100", 2), "%m": _padded(f"month({x})", 2),
        "%b": _named(_MONTHS, f"month({x})", 3), "%B": _named(_MONTHS, f"month({x})", None),
        "%d": _padded(f"day({x})", 2), "%j": _padded(f"dayofyear({x})", 3),
        "%a": _named(_DAYS, f"weekday({x}) + 1", 3), "%A": _named(_DAYS, f"weekday({x}) + 1", None),
        "%H": _padded(f"hour({x})", 2), "%I": _padded(twelve, 2), "%p": f"CASE WHEN hour({x}) < 12 THEN 'AM' ELSE 'PM' END",
        "%M": _padded(f"minute({x})", 2), "%S": _padded(f"second({x})", 2), "%f": f"date_format({x}, 'SSSSSS')", "%z": "'+00'", "%%": "'%'",
        "%-d": f"CAST(day({x}) AS STRING)", "%-m": f"CAST(month({x}) AS STRING)", "%-H": f"CAST(hour({x}) AS STRING)",
        "%-I": f"CAST({twelve} AS STRING)", "%-M": f"CAST(minute({x}) AS STRING)", "%-S": f"CAST(second({x}) AS STRING)",
    }  # fmt: skip
    pieces = ", ".join(written.get(piece) or text(piece) for piece in _PIECE.findall(pattern))
    return f"concat({pieces})"
