"""Strict casts of text in Spark's SQL. Spark's own are generous with dates ('1996', 'yesterday'), so a text has to match the notation
first."""

from __future__ import annotations

from headrace.business.model.types import (
    Binary,
    Boolean,
    DataType,
    Date,
    Decimal,
    Enum,
    Float,
    Integer,
    Json,
    String,
    Timestamp,
)
from headrace.business.processing.expressions.ir import CastFormat
from headrace.business.processing.expressions.time_formats import has_offset, letters
from headrace.infrastructure.engines.spark.letter_case import lower_case
from headrace.infrastructure.engines.spark.naming import text
from headrace.infrastructure.engines.spark.time_formats import read_moment
from headrace.infrastructure.engines.spark.types import spark_type

#: The white space of ASCII, which is ignored around everything but strings.
_SPACE = r"[ \t\n\x0B\f\r]*"
_SPACES = text(" \t\n\x0b\f\r")

_YEAR = "(?:[0-9]{3}[1-9]|[0-9]{2}[1-9][0-9]|[0-9][1-9][0-9]{2}|[1-9][0-9]{3})"
_DATE = f"{_YEAR}-[0-9]{{2}}-[0-9]{{2}}"
_MINUTES = "(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_CLOCK = rf"{_MINUTES}(?::[0-5][0-9](?:\.[0-9]{{1,6}}0*)?)?"
_OFFSET = "(?:Z|[+-](?:0[0-9]|1[0-5])(?::?[0-5][0-9])?)"
_ALL_INSTANTS = "BETWEEN TIMESTAMP'0001-01-01 00:00:00+00:00' AND TIMESTAMP'9999-12-31 23:59:59.999999+00:00'"


def from_text(value: str, target: DataType, written: CastFormat = CastFormat()) -> str:
    """What a text says, where it is written as the type asks for, else null."""
    match target:
        case String():
            return value
        case Boolean():
            return _boolean(value, written)
        case Integer() | Float() | Decimal() if written.decimal_mark != "." or written.thousands_mark:
            return _marked_number(value, target, written)
        case Integer():
            return _integer(value, target)
        case Decimal():
            return _where(_like(value, f"[+-]?{_decimal_digits(target)}"), f"try_cast({value} AS {spark_type(target)})")
        case Float():
            return _float(value, spark_type(target))
        case Date() | Timestamp():
            return _moment(value, target, written.pattern)
        case Enum():
            return _where(_is_one(value, target.values), value)
        case Binary():
            return _where(_like(value, "(?:[0-9A-Fa-f]{2})*"), f"unhex({trimmed(value)})")
        case Json():
            return _where(_is_json(value), value)
        case _:
            raise TypeError(f"a cast from text to {target} has to be refused")


def trimmed(value: str) -> str:
    return f"trim(BOTH {_SPACES} FROM {value})"


def _is_json(value: str) -> str:
    """Spark looks no further than the first value. One that is alone in an array, and alone in an object, is alone."""
    return f"try_parse_json(concat('[', {value}, ']')) IS NOT NULL AND try_parse_json(concat('{{\"a\":', {value}, '}}')) IS NOT NULL"


def _where(condition: str, sql: str) -> str:
    return f"CASE WHEN {condition} THEN {sql} END"


def _like(value: str, pattern: str) -> str:
    whole = rf"\A{_SPACE}{pattern}{_SPACE}\z"
    return f"{value} RLIKE {text(whole)}"


def _integer(value: str, target: Integer) -> str:
    tried = f"try_cast({value} AS {spark_type(target)})"
    ranged = "" if target.signed else f" AND {tried} BETWEEN {target.lowest} AND {target.highest}"
    return _where(_like(value, "[+-]?[0-9]+") + ranged, tried)


def _decimal_digits(target: Decimal) -> str:
    """Digits with at most as many after the point as the type has; zeros beyond are no loss."""
    if target.scale == 0:
        return r"(?:[0-9]+(?:\.0*)?|\.0+)"
    return rf"(?:[0-9]+(?:\.[0-9]{{0,{target.scale}}}0*)?|\.[0-9]{{1,{target.scale}}}0*)"


def _float(value: str, kind: str) -> str:
    """A number that is too large is no infinity."""
    tried = f"try_cast({value} AS {kind})"
    number = _like(value, r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
    infinite = _like(value, "[+-]?[iI][nN][fF](?:[iI][nN][iI][tT][yY])?")
    signed = f"CASE WHEN contains({value}, '-') THEN CAST('-inf' AS {kind}) ELSE CAST('inf' AS {kind}) END"
    return (
        f"CASE WHEN {number} THEN CASE WHEN abs({tried}) < CAST('inf' AS {kind}) THEN {tried} END WHEN {infinite} THEN {signed} "
        f"WHEN {_like(value, '[+-]?[nN][aA][nN]')} THEN CAST('nan' AS {kind}) END"
    )


def _marked_number(value: str, target: Integer | Float | Decimal, written: CastFormat) -> str:
    """With other marks than a plain point: thousands are parted in threes from the right, or not at all."""
    point, comma = _escaped(written.decimal_mark), written.thousands_mark
    whole = rf"(?:[0-9]{{1,3}}(?:{_escaped(comma)}[0-9]{{3}})+|[0-9]+)" if comma else "[0-9]+"
    pattern = rf"[+-]?{whole}" if isinstance(target, Integer) else rf"[+-]?(?:{whole}(?:{point}[0-9]*)?|{point}[0-9]+)"
    if isinstance(target, Float):
        words = "[nN][aA][nN]|[iI][nN][fF](?:[iI][nN][iI][tT][yY])?"
        pattern = rf"(?:{pattern}(?:[eE][+-]?[0-9]+)?|[+-]?(?:{words}))"
    plain = f"replace({value}, {text(comma)}, '')" if comma else value
    if written.decimal_mark != "." and not isinstance(target, Integer):
        plain = f"replace({plain}, {text(written.decimal_mark)}, '.')"
    return _where(_like(value, pattern), from_text(plain, target))


def _escaped(mark: str) -> str:
    return rf"\x{{{ord(mark):X}}}"


def _boolean(value: str, written: CastFormat) -> str:
    """The words as they stand are tried first, then in any case and with white space around them."""
    branches = []
    for subject, lower in ((value, False), (lower_case(trimmed(value)), True)):
        for words, result in ((written.true_words, "true"), (written.false_words, "false")):
            branches.append(f"WHEN {_is_one(subject, words, lower=lower)} THEN {result}")
    return f"CASE {' '.join(branches)} END"


def _is_one(value: str, words: tuple[str, ...], *, lower: bool = False) -> str:
    items = ", ".join(
        lower_case(text(word)) if lower and not word.isascii() else text(word.lower() if lower else word) for word in words
    )
    return f"({value}) IN ({items or 'NULL'})"


def _moment(value: str, target: Date | Timestamp, pattern: str | None) -> str:
    """What is written as ISO 8601, or in a format. An offset in it makes an instant; without one there is none, and none is dropped."""
    zone = isinstance(target, Timestamp) and target.zone
    if pattern is None:
        return _iso(value, target)
    if zone != has_offset(pattern):
        return f"CAST(NULL AS {spark_type(target)})"
    read = read_moment(value, pattern)
    if isinstance(target, Date) and any(letter.lstrip("%-")[:1] in "HIMSfp" for letter in letters(pattern)):
        return _where(f"({read}) = date_trunc('DAY', {read})", f"CAST(({read}) AS DATE)")
    return read if isinstance(target, Timestamp) else f"CAST(({read}) AS DATE)"


def _iso(value: str, target: Date | Timestamp) -> str:
    tried = f"try_cast({trimmed(value)} AS {spark_type(target)})"
    if isinstance(target, Date):
        return _where(_like(value, _DATE), tried)
    if not target.zone:
        return _where(_like(value, f"{_DATE}[T ]{_CLOCK}"), tried)
    spelt = text(r"([+-][0-9]{2}):?([0-9]{2})?$")
    seconds = f"regexp_replace({trimmed(value)}, {text(r'([T ][0-9]{2}:[0-9]{2})([Z+-])')}, '$1:00$2')"
    full = f"regexp_replace(regexp_replace({seconds}, {spelt}, '$1:$2'), ':$', ':00')"
    instant = f"try_cast({full} AS TIMESTAMP)"
    return _where(_like(value, f"{_DATE}[T ]{_CLOCK}{_OFFSET}"), _where(f"{instant} {_ALL_INSTANTS}", instant))
