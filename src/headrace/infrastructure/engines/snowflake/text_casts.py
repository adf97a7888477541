"""Strict casts of text in Snowflake's SQL. Snowflake's own round ('5.7' becomes 6) and guess what a date is; so a text has to match the
notation first, and is cast by TRY_CAST, which makes what does not fit null.
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
from headrace.infrastructure.engines.snowflake.calling import within
from headrace.infrastructure.engines.snowflake.literals import text
from headrace.infrastructure.engines.snowflake.types import snowflake_type

_WHITE = " \t\n\v\f\r"
_YEAR = "([0-9]{3}[1-9]|[0-9]{2}[1-9][0-9]|[0-9][1-9][0-9]{2}|[1-9][0-9]{3})"
_DATE = f"{_YEAR}-[0-9]{{2}}-[0-9]{{2}}"
_MINUTES = "([01][0-9]|2[0-3]):[0-5][0-9]"
_CLOCK = rf"{_MINUTES}(:[0-5][0-9]([.][0-9]{{1,6}}0{{0,3}})?)?"
_OFFSET = "(Z|[+-](0[0-9]|1[0-5])(:?[0-5][0-9])?)"
_NUMBER = r"[+-]?([0-9]+([.][0-9]*)?|[.][0-9]+)"


def from_text(value: str, target: DataType, written: CastFormat = CastFormat()) -> str:
    """What a text says, where it is written as the type asks for, else null."""
    bare = f"TRIM({value}, {text(_WHITE)})"
    match target:
        case String():
            return value
        case Boolean():
            return _boolean(value, bare, written)
        case Integer() | Float() | Decimal() if written.decimal_mark != "." or written.thousands_mark:
            return _marked_number(value, bare, target, written)
        case Integer():
            whole = f"TRY_CAST({bare} AS NUMBER(38, 0))"
            return (
                f"CASE WHEN {_like(bare, '[+-]?[0-9]+')} AND {within(whole, target)} "
                f"THEN CAST({whole} AS {snowflake_type(target)}) END"
            )
        case Decimal():
            return f"CASE WHEN {_like(bare, f'[+-]?{_digits(target)}')} THEN TRY_CAST({bare} AS {snowflake_type(target)}) END"
        case Float():
            return _float(bare)
        case Date():
            return f"CASE WHEN {_like(bare, _DATE)} THEN TRY_CAST({bare} AS DATE) END"
        case Time():
            return f"CASE WHEN {_like(bare, _CLOCK)} THEN TRY_CAST({bare} AS {snowflake_type(target)}) END"
        case Timestamp():
            pattern = f"{_DATE}[T ]{_CLOCK}{_OFFSET if target.zone else ''}"
            return f"CASE WHEN {_like(bare, pattern)} THEN TRY_CAST({bare} AS {snowflake_type(target)}) END"
        case Enum():
            return f"CASE WHEN {_is_one(value, target.values)} THEN {value} END"
        case Binary():
            return f"CASE WHEN {_like(bare, '([0-9A-Fa-f]{2})*')} THEN TRY_TO_BINARY({bare}, 'HEX') END"
        case _:
            raise TypeError(f"nothing is read as {target} here")


def _like(value: str, pattern: str) -> str:
    return f"REGEXP_LIKE({value}, {text(pattern)})"


def _digits(target: Decimal) -> str:
    """With at most as many digits behind the point as the type has; zeros beyond are no loss."""
    if target.scale == 0:
        return "([0-9]+([.]0*)?|[.]0+)"
    return f"([0-9]+([.][0-9]{{0,{target.scale}}}0*)?|[.][0-9]{{1,{target.scale}}}0*)"


def _float(bare: str) -> str:
    """A number that is too large is none."""
    tried, words = f"TRY_CAST({bare} AS FLOAT)", f"LOWER({bare})"
    infinite = "CAST('inf' AS FLOAT)"
    return (
        f"CASE WHEN {_like(bare, f'{_NUMBER}([eE][+-]?[0-9]+)?')} THEN CASE WHEN ABS({tried}) < {infinite} THEN {tried} END "
        f"WHEN {words} IN ('nan', '+nan', '-nan') THEN CAST('nan' AS FLOAT) "
        f"WHEN {words} IN ('inf', '+inf', 'infinity', '+infinity') THEN {infinite} "
        f"WHEN {words} IN ('-inf', '-infinity') THEN CAST('-inf' AS FLOAT) END"
    )


def _marked_number(value: str, bare: str, target: Integer | Float | Decimal, written: CastFormat) -> str:
    """With other marks than a plain point: thousands are parted in threes from the right, or not at all."""
    point, comma = _escaped(written.decimal_mark), written.thousands_mark
    whole = f"([0-9]{{1,3}}({_escaped(comma)}[0-9]{{3}})+|[0-9]+)" if comma else "[0-9]+"
    pattern = f"[+-]?{whole}" if isinstance(target, Integer) else f"[+-]?({whole}({point}[0-9]*)?|{point}[0-9]+)"
    if isinstance(target, Float):
        words = "[nN][aA][nN]|[iI][nN][fF]([iI][nN][iI][tT][yY])?"
        pattern = f"({pattern}([eE][+-]?[0-9]+)?|[+-]?({words}))"
    plain = f"REPLACE({value}, {text(comma)}, '')" if comma else value
    if written.decimal_mark != "." and not isinstance(target, Integer):
        plain = f"REPLACE({plain}, {text(written.decimal_mark)}, '.')"
    return f"CASE WHEN {_like(bare, pattern)} THEN {from_text(plain, target)} END"


def _escaped(mark: str) -> str:
    return mark if mark.isalnum() or not mark.isascii() else f"\\{mark}"


def _boolean(value: str, bare: str, written: CastFormat) -> str:
    """The words as they stand are tried first, then in any case with white space around them."""
    branches = []
    for subject, lower in ((value, False), (f"LOWER({bare})", True)):
        for words, result in ((written.true_words, "TRUE"), (written.false_words, "FALSE")):
            branches.append(f"WHEN {_is_one(subject, words, lower=lower)} THEN {result}")
    return f"CASE {' '.join(branches)} END"


def _is_one(value: str, words: tuple[str, ...], *, lower: bool = False) -> str:
    items = ", ".join(f"LOWER({text(word)})" if lower else text(word) for word in words)
    return f"{value} IN ({items or 'NULL'})"
