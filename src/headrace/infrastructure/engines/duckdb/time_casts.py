"""Strict casts of text to dates, times and timestamps, in DuckDB's SQL.

DuckDB's own also take `1996-2-3`, `1996/02/03`, `epoch`, `infinity` and 24:00, drop an offset, and cut off what is finer than a
microsecond.
"""

from __future__ import annotations

from headrace.business.model.types import Date, Time, Timestamp
from headrace.business.processing.expressions.time_formats import has_offset, letters
from headrace.infrastructure.engines.duckdb.literals import text
from headrace.infrastructure.engines.duckdb.matching import matches, matches_spaced, trimmed
from headrace.infrastructure.engines.duckdb.types import duckdb_type

_YEAR = r"(?:\d{3}[1-9]|\d{2}[1-9]\d|\d[1-9]\d{2}|[1-9]\d{3})"
_DATE = rf"{_YEAR}-\d\d-\d\d"
_MINUTES = r"(?:[01]\d|2[0-3]):[0-5]\d"
_SECONDS = rf"{_MINUTES}:[0-5]\d(?:\.\d{{1,6}}0*)?"
_CLOCK = f"(?:{_MINUTES}|{_SECONDS})"
_OFFSET = r"(?:Z|[+-](?:0\d|1[0-5])(?::?[0-5]\d)?)"

_DATES_OF_FOUR_DIGITS = "BETWEEN DATE '1000-01-01' AND DATE '9999-12-31'"
_ALL_TIMESTAMPS = "BETWEEN TIMESTAMP '0001-01-01 00:00:00' AND TIMESTAMP '9999-12-31 23:59:59.999999'"
_ALL_INSTANTS = "BETWEEN TIMESTAMPTZ '0001-01-01 00:00:00+00' AND TIMESTAMPTZ '9999-12-31 23:59:59.999999+00'"
#: The first moment that a format with a year of four digits can mean: DuckDB reads `13` as the year 13.
_FOUR_DIGITS = {False: "TIMESTAMP '1000-01-01 00:00:00'", True: "TIMESTAMPTZ '1000-01-01 00:00:00+00'"}


def iso_moment(value: str, target: Date | Time | Timestamp) -> str:
    """What is written as ISO 8601. A text that DuckDB would write just so is taken without a second look."""
    tried = f"TRY_CAST({value} AS {duckdb_type(target)})"
    written = f"CAST({tried} AS VARCHAR) = {value}"
    if isinstance(target, Date):
        return f"CASE WHEN {_plain_date(value, tried)} THEN {tried} WHEN {matches_spaced(value, _DATE)} THEN {tried} END"
    if isinstance(target, Time):
        return f"CASE WHEN {written} AND {value} < '24' THEN {tried} WHEN {matches_spaced(value, _CLOCK)} THEN {tried} END"
    return _instant(value, tried) if target.zone else _timestamp(value, tried, written)


def _plain_date(value: str, tried: str) -> str:
    """Ten bytes, the hyphens in their places, a digit at the end, and a year of four digits: so month and day have two each.

    The cast comes first, because then DuckDB evaluates it once (see `text_casts`).
    """
    return f"{tried} {_DATES_OF_FOUR_DIGITS} AND {value} GLOB '????-??-?[0-9]'"


def _timestamp(value: str, tried: str, written: str) -> str:
    pattern = f"{_DATE}[T ]{_CLOCK}"
    return (
        f"CASE WHEN {written} AND {tried} {_ALL_TIMESTAMPS} THEN {tried} WHEN {matches(value, pattern)} THEN {tried} "
        f"WHEN {matches_spaced(value, pattern)} THEN TRY_CAST({trimmed(value)} AS TIMESTAMP) END"
    )


def _instant(value: str, tried: str) -> str:
    """Writing an instant costs more than matching it. DuckDB reads one without seconds only since 2.0."""
    usual = matches(value, rf"[12]\d{{3}}-\d\d-\d\d[T ]{_SECONDS}{_OFFSET}")
    any_form = matches_spaced(value, f"{_DATE}[T ]{_CLOCK}{_OFFSET}")
    full = rf"regexp_replace({trimmed(value)}, '([T ]\d\d:\d\d)([Z+-])', '\1:00\2')"
    unusual = f"TRY_CAST({full} AS TIMESTAMPTZ)"
    return f"CASE WHEN {usual} THEN {tried} WHEN {any_form} THEN CASE WHEN {unusual} {_ALL_INSTANTS} THEN {unusual} END END"


def formatted_moment(value: str, target: Date | Time | Timestamp, pattern: str) -> str:
    """What is written in a format. An offset in it makes an instant; without one there is none, and none is dropped."""
    if (isinstance(target, Timestamp) and target.zone) != has_offset(pattern):
        return f"CAST(NULL AS {duckdb_type(target)})"
    read = timestamp_in(value, pattern)
    if isinstance(target, Date) and any(letter.lstrip("%-")[:1] in "HIMSfp" for letter in letters(pattern)):
        return f"CASE WHEN {read} = date_trunc('day', {read}) THEN CAST({read} AS DATE) END"
    return read if isinstance(target, Timestamp) else f"CAST({read} AS {duckdb_type(target)})"


def timestamp_in(value: str, pattern: str) -> str:
    """The timestamp, or instant, that a text gives in a format."""
    read = f"try_strptime({value}, {text(pattern)})"
    if "%Y" not in letters(pattern):
        return f"CASE WHEN NOT {_is_special(value)} THEN {read} END"
    return f"CASE WHEN {read} >= {_FOUR_DIGITS[has_offset(pattern)]} AND NOT {_is_special(value)} THEN {read} END"


def _is_special(value: str) -> str:
    """`epoch` and `infinity` are a day to DuckDB in every format."""
    return f"regexp_matches({value}, '(?i)epoch|inf')"
