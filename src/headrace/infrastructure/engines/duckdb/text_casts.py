"""Strict casts of text in DuckDB's SQL. DuckDB's own are generous: '5.7' becomes 6, '1_000' 1000, '0x1F' 31.

Text is cast once by `TRY_CAST`. Most texts are then taken by a look that costs little: at their length, their first characters and
their value, which together leave no room for another notation. The next are taken because DuckDB would write the value just so; every
other has to match the notation as a regular expression, which costs four times the cast. The cast has to be what a condition asks for
first: only then does DuckDB evaluate it once, and not again in each branch.
"""

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
    String,
    Time,
    Timestamp,
)  # fmt: skip
from headrace.business.processing.expressions.ir import CastFormat
from headrace.infrastructure.engines.duckdb.json_casts import from_json
from headrace.infrastructure.engines.duckdb.literals import text
from headrace.infrastructure.engines.duckdb.matching import matches, matches_spaced, trimmed
from headrace.infrastructure.engines.duckdb.time_casts import formatted_moment, iso_moment
from headrace.infrastructure.engines.duckdb.types import duckdb_type


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
            return _decimal(value, target)
        case Float():
            return _float(value, duckdb_type(target))
        case Date() | Time() | Timestamp():
            return (
                formatted_moment(value, target, written.pattern) if written.pattern is not None else iso_moment(value, target)
            )
        case Enum():
            return f"CASE WHEN {_is_one(value, target.values)} THEN {value} END"
        case Binary():
            return _binary(value)
        case _:
            return from_json(_json(value), target, from_text)


def _integer(value: str, target: Integer) -> str:
    tried = f"TRY_CAST({value} AS {duckdb_type(target)})"
    return _guarded(value, tried, _plain_integer(value, tried), r"[+-]?\d+")


def _decimal(value: str, target: Decimal) -> str:
    tried = f"TRY_CAST({value} AS {duckdb_type(target)})"
    return _guarded(value, tried, _plain_decimal(value, tried, target.scale), f"[+-]?{_decimal_digits(target)}")


def _guarded(value: str, tried: str, plain: str, pattern: str) -> str:
    return (
        f"CASE WHEN {plain} THEN {tried} WHEN CAST({tried} AS VARCHAR) = {value} THEN {tried} "
        f"WHEN {matches_spaced(value, pattern)} THEN {tried} END"
    )


#: The least integer of each number of digits.
_LEAST = f"([{', '.join(str(10**digits) for digits in range(19))}]::BIGINT[])"


def _plain_integer(value: str, tried: str) -> str:
    """The value has as many digits as the text has characters, and is no multiple of a hundred.

    That leaves digits alone: white space, signs, points and what stands behind them, `_` and `0b` make a text longer than its value,
    `0x` begins like no number, and an exponent that makes up for its own letters ends the value in two zeros at least.
    """
    return f"{tried} % 100 <> 0 AND {tried} >= {_LEAST}[strlen({value})] AND {value} >= '1'"


def _plain_decimal(value: str, tried: str, scale: int) -> str:
    """One or two digits; or `0.` and up to two, as far as the type has so many. No exponent and no `_` has room in either.

    Texts are ordered by their bytes, and `:` is the one behind `9`, so each bound is a look at one character.
    """
    longest = min(scale, 2) + 2
    return (
        f"{tried} IS NOT NULL AND strlen({value}) <= {longest} AND ({value} >= '0.' AND {value} < '0.:' "
        f"OR strlen({value}) <= 2 AND {value} >= '0' AND {value} < ':')"
    )


def _decimal_digits(target: Decimal) -> str:
    """Digits with at most as many after the point as the type has; zeros beyond are no loss."""
    if target.scale == 0:
        return r"(?:\d+(?:\.0*)?|\.0+)"
    return rf"(?:\d+(?:\.\d{{0,{target.scale}}}0*)?|\.\d{{1,{target.scale}}}0*)"


def _float(value: str, kind: str) -> str:
    """DuckDB's own notation but for digits parted by `_`, and numbers that are too large, which it takes for infinite."""
    tried = f"TRY_CAST({value} AS {kind})"
    infinite = matches_spaced(value, r"(?i)[+-]?inf(?:inity)?")
    return f"CASE WHEN isinf({tried}) THEN CASE WHEN {infinite} THEN {tried} END WHEN contains({value}, '_') THEN NULL ELSE {tried} END"


def _marked_number(value: str, target: Integer | Float | Decimal, written: CastFormat) -> str:
    """With other marks than a plain point: thousands are parted in threes from the right, or not at all."""
    point, comma = _escaped(written.decimal_mark), written.thousands_mark
    whole = rf"(?:\d{{1,3}}(?:{_escaped(comma)}\d{{3}})+|\d+)" if comma else r"\d+"
    pattern = rf"[+-]?{whole}" if isinstance(target, Integer) else rf"[+-]?(?:{whole}(?:{point}\d*)?|{point}\d+)"
    if isinstance(target, Float):
        pattern = rf"(?i)(?:{pattern}(?:e[+-]?\d+)?|[+-]?(?:nan|inf(?:inity)?))"
    plain = f"replace({value}, {text(comma)}, '')" if comma else value
    if written.decimal_mark != "." and not isinstance(target, Integer):
        plain = f"replace({plain}, {text(written.decimal_mark)}, '.')"
    return f"CASE WHEN {matches_spaced(value, pattern)} THEN {from_text(plain, target)} END"


def _escaped(mark: str) -> str:
    return rf"\x{ord(mark):02x}"


def _boolean(value: str, written: CastFormat) -> str:
    """The words as they stand are tried first, then in any case, then with white space around them."""
    branches = []
    for subject, lower in ((value, False), (f"lower({value})", True), (f"lower({trimmed(value)})", True)):
        for words, result in ((written.true_words, "true"), (written.false_words, "false")):
            branches.append(f"WHEN {_is_one(subject, words, lower=lower)} THEN {result}")
    return f"CASE {' '.join(branches)} END"


def _is_one(value: str, words: tuple[str, ...], *, lower: bool = False) -> str:
    items = ", ".join(f"lower({text(word)})" if lower else text(word) for word in words)
    return f"{value} IN ({items or 'NULL'})"


def _binary(value: str) -> str:
    digits = r"(?:[0-9A-Fa-f]{2})*"
    return f"CASE WHEN {matches(value, digits)} THEN unhex({value}) WHEN {matches_spaced(value, digits)} THEN unhex({trimmed(value)}) END"


def _json(value: str) -> str:
    """DuckDB also reads trailing commas, NaN and infinities, which are no JSON; they are looked for outside of texts."""
    bare = rf"""regexp_replace({value}, '"(?:[^"\\]|\\.)*"', '""', 'g')"""
    return f"CASE WHEN NOT regexp_matches({bare}, '(?i),\\s*[\\]}}]|nan|inf') THEN TRY_CAST({value} AS JSON) END"
