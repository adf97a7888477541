"""Strict casts in DuckDB's SQL. DuckDB's own are generous: '5.7' becomes 6, '1_000' 1000, '0x1F' 31, an offset is dropped.

Text is cast once by `TRY_CAST`. A text that is exactly what DuckDB would write for the value is taken without another look,
which costs a third of the cast; every other text has to match the notation as a regular expression.
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
    Json,
    List,
    String,
    Struct,
    Time,
    Timestamp,
)  # fmt: skip
from headrace.business.processing.expressions.coercion import a, common_type
from headrace.business.processing.expressions.ir import Cast, CastFormat
from headrace.business.processing.expressions.time_formats import has_offset, letters
from headrace.infrastructure.engines.duckdb.json_casts import from_json, to_json
from headrace.infrastructure.engines.duckdb.literals import identifier, text
from headrace.infrastructure.engines.duckdb.types import duckdb_type

SPACE = r"[\s\v]*"
_SPACES = "' ' || chr(9) || chr(10) || chr(11) || chr(12) || chr(13)"
_YEAR = r"(?:\d{3}[1-9]|\d{2}[1-9]\d|\d[1-9]\d{2}|[1-9]\d{3})"
_DATE = rf"{_YEAR}-\d\d-\d\d"
_CLOCK = r"(?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d{1,6}0*)?)?"
_OFFSET = r"(?:Z|[+-](?:0\d|1[0-5])(?::?[0-5]\d)?)"
_RANGES = {
    Date(): "BETWEEN DATE '0001-01-01' AND DATE '9999-12-31'",
    Timestamp(): "BETWEEN TIMESTAMP '0001-01-01 00:00:00' AND TIMESTAMP '9999-12-31 23:59:59.999999'",
    Timestamp(zone=True): "BETWEEN TIMESTAMPTZ '0001-01-01 00:00:00+00' AND TIMESTAMPTZ '9999-12-31 23:59:59.999999+00'",
}
#: The first moment that a format with a year of four digits can mean: DuckDB reads `13` as the year 13.
_FOUR_DIGITS = {False: "TIMESTAMP '1000-01-01 00:00:00'", True: "TIMESTAMPTZ '1000-01-01 00:00:00+00'"}


def cast_sql(cast: Cast, value: str) -> str:
    """A cast of an expression whose SQL is `value`."""
    source, target = cast.value.type, cast.type
    if _always_fits(source, target):
        return _plain(value, source, target)
    fitting = lenient(value, source, target, cast.format)
    if cast.lenient:
        return fitting
    given = f"json_type({value}) <> 'NULL'" if isinstance(source, Json) else f"{value} IS NOT NULL"
    why = text(f"a value does not fit {a(target)} exactly; `try_cast` would make it null")
    return f"coalesce({fitting}, CASE WHEN {given} THEN error({why}) END)"


def _always_fits(source: DataType, target: DataType) -> bool:
    if isinstance(target, Enum) or (isinstance(source, Json) and not isinstance(target, String)):
        return False
    if isinstance(target, Decimal):
        return isinstance(source, Integer | Decimal) and _wide_enough(source, target)
    if isinstance(target, Float):
        return source.is_number and target.bits == 64
    if isinstance(source, Boolean) and isinstance(target, Integer):
        return True
    return isinstance(target, String) or (common_type(source, target) == target and not isinstance(target, List | Struct))


def _wide_enough(source: Integer | Decimal, target: Decimal) -> bool:
    if isinstance(source, Integer):
        return source.bits < 128 and len(str(source.highest)) <= target.precision - target.scale
    return source.scale <= target.scale and source.precision - source.scale <= target.precision - target.scale


def _plain(value: str, source: DataType, target: DataType) -> str:
    if isinstance(target, String):
        return _as_text(value, source)
    return f"CAST({value} AS {duckdb_type(target)})"


def _as_text(value: str, source: DataType) -> str:
    """The one text of each value: see the section on casts of the semantics."""
    if isinstance(source, Binary):
        return f"lower(hex({value}))"
    written = f"CAST({value} AS VARCHAR)"
    if isinstance(source, Float):  # a NaN may have a sign, which means nothing
        return f"CASE WHEN isnan({value}) THEN 'nan' ELSE {written} END"
    if isinstance(source, Decimal) and source.precision == source.scale:
        return rf"regexp_replace({written}, '^(-?)\.', '\10.')"
    if isinstance(source, Timestamp) and source.zone:
        return f"({written} || ':00')"
    return written


def lenient(value: str, source: DataType, target: DataType, written: CastFormat = CastFormat()) -> str:
    """The value as the target type where it fits exactly, else null."""
    if isinstance(source, String | Enum):
        return from_text(value, target, written)
    if isinstance(source, Json):
        return from_json(value, target, from_text)
    if isinstance(target, Json):
        return to_json(value, source)
    if isinstance(target, Enum):
        return from_text(_as_text(value, source), target, written)
    if isinstance(source, List) and isinstance(target, List):
        return _items(value, source, target)
    if isinstance(source, Struct) and isinstance(target, Struct):
        return _fields(value, source, target)
    return _between_plain(value, source, target)


def _between_plain(value: str, source: DataType, target: DataType) -> str:
    tried = f"TRY_CAST({value} AS {duckdb_type(target)})"
    if isinstance(source, Float | Decimal) and isinstance(target, Integer):
        return f"CASE WHEN {value} = trunc({value}) THEN {tried} END"
    if isinstance(source, Decimal) and isinstance(target, Decimal) and target.scale < source.scale:
        return f"CASE WHEN {tried} = {value} THEN {tried} END"
    if isinstance(source, Float) and isinstance(target, Decimal):
        return f"CASE WHEN CAST({tried} AS {duckdb_type(source)}) = {value} THEN {tried} END"
    if isinstance(source, Timestamp) and isinstance(target, Date):
        return f"CASE WHEN {value} = date_trunc('day', {value}) THEN {tried} END"
    return tried


def _items(value: str, source: List, target: List) -> str:
    changed = f"list_transform({value}, lambda item: {_inner('item', source.item, target.item)})"
    lost = f"len(list_filter({changed}, lambda item: item IS NULL)) > len(list_filter({value}, lambda item: item IS NULL))"
    return f"CASE WHEN {lost} THEN NULL ELSE {changed} END"


def _fields(value: str, source: Struct, target: Struct) -> str:
    kinds = dict(source.fields)
    parts, lost = [], []
    for name, kind in target.fields:
        part = f"struct_extract({value}, {text(name)})"
        changed = _inner(part, kinds[name], kind)
        parts.append(f"{identifier(name)} := {changed}")
        if changed != part:
            lost.append(f"({part} IS NOT NULL AND {changed} IS NULL)")
    conditions = " OR ".join([f"{value} IS NULL", *lost])
    return f"CASE WHEN {conditions} THEN NULL ELSE struct_pack({', '.join(parts)}) END"


def _inner(value: str, source: DataType, target: DataType) -> str:
    if source == target:
        return value
    return _plain(value, source, target) if _always_fits(source, target) else lenient(value, source, target)


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
            return _guarded(value, duckdb_type(target), rf"{SPACE}[+-]?\d+{SPACE}")
        case Decimal():
            return _guarded(value, duckdb_type(target), rf"{SPACE}[+-]?{_plain_decimal(target)}{SPACE}")
        case Float():
            return _float(value, duckdb_type(target))
        case Date() | Time() | Timestamp() if written.pattern is not None:
            return _by_format(value, target, written.pattern)
        case Date() | Time() | Timestamp():
            return _moment(value, target)
        case Enum():
            words = ", ".join(map(text, target.values)) or "NULL"
            return f"CASE WHEN {value} IN ({words}) THEN {value} END"
        case Binary():
            return (
                f"CASE WHEN {_matches(value, rf'{SPACE}(?:[0-9A-Fa-f]{{2}})*{SPACE}')} THEN unhex(trim({value}, {_SPACES})) END"
            )
        case _:
            return from_json(_json(value), target, from_text)


def _matches(value: str, pattern: str) -> str:
    return f"regexp_full_match({value}, {text(pattern)})"


def _guarded(value: str, kind: str, pattern: str) -> str:
    tried = f"TRY_CAST({value} AS {kind})"
    return f"CASE WHEN CAST({tried} AS VARCHAR) = {value} THEN {tried} WHEN {_matches(value, pattern)} THEN {tried} END"


def _plain_decimal(target: Decimal) -> str:
    """Digits with at most as many after the point as the type has; zeros beyond are no loss."""
    if target.scale == 0:
        return r"(?:\d+(?:\.0*)?)"
    return rf"(?:\d+(?:\.\d{{0,{target.scale}}}0*)?|\.\d{{1,{target.scale}}}0*)"


def _float(value: str, kind: str) -> str:
    """DuckDB's own notation but for digits parted by `_`, and numbers that are too large, which it takes for infinite."""
    tried = f"TRY_CAST({value} AS {kind})"
    infinite = _matches(value, rf"(?i){SPACE}[+-]?inf(?:inity)?{SPACE}")
    return f"CASE WHEN isinf({tried}) THEN CASE WHEN {infinite} THEN {tried} END WHEN contains({value}, '_') THEN NULL ELSE {tried} END"


def _marked_number(value: str, target: DataType, written: CastFormat) -> str:
    """With other marks than a plain point: thousands are parted in threes from the right, or not at all."""
    point, comma = _escaped(written.decimal_mark), written.thousands_mark
    whole = rf"(?:\d{{1,3}}(?:{_escaped(comma)}\d{{3}})+|\d+)" if comma else r"\d+"
    broken = "" if isinstance(target, Integer) else rf"(?:{point}\d*)?"
    pattern = rf"[+-]?{whole}{broken}" if isinstance(target, Integer) else rf"[+-]?(?:{whole}{broken}|{point}\d+)"
    if isinstance(target, Float):
        pattern = rf"(?i)(?:{pattern}(?:e[+-]?\d+)?|[+-]?(?:nan|inf(?:inity)?))"
    plain = f"replace({value}, {text(comma)}, '')" if comma else value
    if written.decimal_mark != "." and not isinstance(target, Integer):
        plain = f"replace({plain}, {text(written.decimal_mark)}, '.')"
    return f"CASE WHEN {_matches(value, f'{SPACE}{pattern}{SPACE}')} THEN {from_text(plain, target)} END"


def _escaped(mark: str) -> str:
    return rf"\x{ord(mark):02x}"


def _boolean(value: str, written: CastFormat) -> str:
    def is_one(subject: str, words: tuple[str, ...], *, lower: bool) -> str:
        items = ", ".join(f"lower({text(word)})" if lower else text(word) for word in words)
        return f"{subject} IN ({items or 'NULL'})"

    plain = f"lower(trim({value}, {_SPACES}))"
    return (
        f"CASE WHEN {is_one(value, written.true_words, lower=False)} THEN true "
        f"WHEN {is_one(value, written.false_words, lower=False)} THEN false "
        f"WHEN {is_one(plain, written.true_words, lower=True)} THEN true "
        f"WHEN {is_one(plain, written.false_words, lower=True)} THEN false END"
    )


def _moment(value: str, target: Date | Time | Timestamp) -> str:
    kind = duckdb_type(target)
    tried, trimmed = f"TRY_CAST({value} AS {kind})", f"TRY_CAST(trim({value}, {_SPACES}) AS {kind})"
    if isinstance(target, Time):
        canonical, pattern = f"CAST({tried} AS VARCHAR) = {value} AND {value} < '24'", _CLOCK
    elif isinstance(target, Date):
        canonical, pattern = f"CAST({tried} AS VARCHAR) = {value} AND {tried} {_RANGES[target]}", _DATE
    elif target.zone:  # writing an instant costs more than matching it
        written = _matches(value, f"{SPACE}{_DATE}[T ]{_CLOCK}{_OFFSET}{SPACE}")
        return f"CASE WHEN {written} AND {trimmed} {_RANGES[target]} THEN {trimmed} END"
    else:
        canonical, pattern = f"CAST({tried} AS VARCHAR) = {value} AND {tried} {_RANGES[target]}", f"{_DATE}[T ]{_CLOCK}"
    return f"CASE WHEN {canonical} THEN {tried} WHEN {_matches(value, f'{SPACE}{pattern}{SPACE}')} THEN {trimmed} END"


def _by_format(value: str, target: Date | Time | Timestamp, pattern: str) -> str:
    """An offset in the format makes an instant; without one there is none, and none is dropped."""
    zone = isinstance(target, Timestamp) and target.zone
    if zone != has_offset(pattern):
        return f"CAST(NULL AS {duckdb_type(target)})"
    read = f"try_strptime({value}, {text(pattern)})"
    if "%Y" in letters(pattern):
        read = f"CASE WHEN {read} >= {_FOUR_DIGITS[zone]} THEN {read} END"
    if isinstance(target, Date) and any(letter.lstrip("%-")[:1] in "HIMSfp" for letter in letters(pattern)):
        return f"CASE WHEN {read} = date_trunc('day', {read}) THEN CAST({read} AS DATE) END"
    return read if isinstance(target, Timestamp) else f"CAST({read} AS {duckdb_type(target)})"


def _json(value: str) -> str:
    """DuckDB also reads trailing commas, NaN and infinities, which are no JSON; they are looked for outside of texts."""
    bare = rf"""regexp_replace({value}, '"(?:[^"\\]|\\.)*"', '""', 'g')"""
    return f"CASE WHEN NOT regexp_matches({bare}, '(?i),\\s*[\\]}}]|nan|inf') THEN TRY_CAST({value} AS JSON) END"
