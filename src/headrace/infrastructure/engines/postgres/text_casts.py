"""Strict casts of text in PostgreSQL's SQL. PostgreSQL's own are generous with dates ('yesterday'), and end the statement where
they fail; so a text has to match the notation first, and its number has to lie where the type can hold it."""

from __future__ import annotations

import re

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
from headrace.business.processing.expressions.time_formats import has_offset, letters
from headrace.business.validation.compiled import OURS
from headrace.infrastructure.engines.postgres.calling import OWN
from headrace.infrastructure.engines.postgres.json_casts import from_json
from headrace.infrastructure.engines.postgres.literals import text
from headrace.infrastructure.engines.postgres.time_formats import read_moment
from headrace.infrastructure.engines.postgres.types import postgres_type


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
            read = f"{OWN}read_decimal({value}, {10 ** (target.precision - target.scale)}, {target.scale})"
            plain = f"{OWN}{'plain' if _is_cell(value) else 'like'}_decimal({value}, {target.precision}, {target.scale})"
            return _usually(value, target, plain, f"CAST({read} AS {postgres_type(target)})")
        case Float():
            return f"{OWN}read_{'real' if target.bits == 32 else 'float'}({value})"
        case Date() if written.pattern is None:
            return _usually(value, target, f"{OWN}plain_date({value})", _moment(value, target, None))
        case Timestamp() if written.pattern is None:
            plain = f"{OWN}plain_{'instant' if target.zone else 'timestamp'}({value})"
            return _usually(value, target, plain, _moment(value, target, None))
        case Date() | Time() | Timestamp():
            return _moment(value, target, written.pattern)
        case Enum():
            return f"CASE WHEN {_is_one(value, target.values)} THEN {value} END"
        case Binary():
            return f"{OWN}read_binary({value})"
        case _:
            return from_json(f"{OWN}read_json({value})", target, from_text)


def _usually(value: str, target: DataType, usual: str, read: str) -> str:
    """A text in the usual notation is cast at once, any other is read with care: that takes a third or less of the time. Only of a
    column, which costs nothing to look at again. What is usual is for the functions of the session to say (see `server_plain`)."""
    is_column = value.startswith('"') and value.count('"') == 2
    return f"CASE WHEN {usual} THEN CAST({value} AS {postgres_type(target)}) ELSE {read} END" if is_column else read


def _is_cell(value: str) -> bool:
    """Whether it is a cell as it came. Any other column may be a constant when all is put together; then the planner tries the casts of
    numbers in advance, if it cannot know that their test says no."""
    return value.startswith(f'"{OURS}') and value.count('"') == 2


def _integer(value: str, target: Integer) -> str:
    kind = postgres_type(target)
    if kind.startswith("numeric"):
        return f"CAST({OWN}read_whole({value}, {target.lowest}, {target.highest}) AS {kind})"
    read = f"{OWN}read_integer({value}, {_bound(target.lowest)}, {target.highest})"
    careful = read if kind == "bigint" else f"CAST({read} AS {kind})"
    if not _is_cell(value) or not target.signed or target.bits == 8:  # PostgreSQL has no type of these bounds
        return careful
    return _usually(value, target, f"{OWN}plain_whole({value}, {text(kind)})", careful)


def _bound(value: int) -> str:
    """The least bigint is no literal: its digits without the sign are too large."""
    return f"'{value}'" if value == -(2**63) else str(value)


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
    whole_pattern = text(rf"^[ \t\n\v\f\r]*{pattern}[ \t\n\v\f\r]*$")
    return f'CASE WHEN {value} COLLATE "C" ~ {whole_pattern} THEN {from_text(plain, target)} END'


def _escaped(mark: str) -> str:
    return mark if mark.isalnum() else re.sub(r"([^\w])", r"\\\1", mark)


def _boolean(value: str, written: CastFormat) -> str:
    """The words as they stand are tried first, then in any case, then with white space around them."""
    branches = []
    for subject, lower in ((value, False), (f"{OWN}lower_case({OWN}trimmed({value}))", True)):
        for words, result in ((written.true_words, "true"), (written.false_words, "false")):
            branches.append(f"WHEN {_is_one(subject, words, lower=lower)} THEN {result}")
    return f"CASE {' '.join(branches)} END"


def _is_one(value: str, words: tuple[str, ...], *, lower: bool = False) -> str:
    plain = all(word.isascii() for word in words)
    shown = [word.lower() if lower and plain else word for word in words]
    items = ", ".join(f"{OWN}lower_case({text(word)})" if lower and not plain else text(word) for word in shown)
    return f'{value} COLLATE "C" IN ({items or "NULL"})'


def _moment(value: str, target: Date | Time | Timestamp, pattern: str | None) -> str:
    """What is written as ISO 8601, or in a format. An offset in it makes an instant; without one there is none, and none is dropped."""
    zone = isinstance(target, Timestamp) and target.zone
    if pattern is None:
        name = {"date": "date", "time": "time"}.get(str(target), "instant" if zone else "timestamp")
        return f"{OWN}read_{name}({value})"
    if zone != has_offset(pattern):
        return f"CAST(NULL AS {postgres_type(target)})"
    read = read_moment(value, pattern)
    if isinstance(target, Date) and any(letter.lstrip("%-")[:1] in "HIMSfp" for letter in letters(pattern)):
        return f"CASE WHEN {read} = date_trunc('day', {read}) THEN CAST({read} AS date) END"
    return read if isinstance(target, Timestamp) else f"CAST({read} AS {postgres_type(target)})"
