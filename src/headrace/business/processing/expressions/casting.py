"""Which casts there are. What fits and what does not is said in `docs/specs/semantics.md`; engines carry it out."""

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
    Interval,
    Json,
    List,
    Null,
    String,
    Struct,
    Time,
    Timestamp,
)  # fmt: skip
from headrace.business.processing.expressions.ir import CastFormat
from headrace.business.processing.expressions.time_formats import format_problem, has_offset

_FROM_TEXT = (Boolean, Integer, Float, Decimal, String, Date, Time, Timestamp, Binary, Json, List, Struct, Enum)
_TO_TEXT = (Boolean, Integer, Float, Decimal, String, Date, Time, Timestamp, Binary, Json, Enum)


def cast_problem(source: DataType, target: DataType) -> tuple[str, str | None] | None:
    """Why there is no such cast, and what to write instead; None when there is one."""
    if source == target or isinstance(source, Null) or _possible(source, target):
        return None
    return f"there is no cast from {source} to {target}", _advice(source, target)


def _possible(source: DataType, target: DataType) -> bool:
    if isinstance(target, String | Enum) and isinstance(source, _TO_TEXT):
        return True
    if isinstance(source, String | Enum | Json):
        return isinstance(target, _FROM_TEXT)
    if source.is_number and target.is_number:
        return True
    if isinstance(source, Boolean) and isinstance(target, Integer):
        return True
    if {source, target} == {Date(), Timestamp()}:
        return True
    if isinstance(target, Json):
        return not isinstance(source, Interval)
    if isinstance(source, List) and isinstance(target, List):
        return source.item == target.item or _possible(source.item, target.item)
    if isinstance(source, Struct) and isinstance(target, Struct):
        return _fields_fit(source, target)
    return False


def _fields_fit(source: Struct, target: Struct) -> bool:
    """The same names, in any order."""
    theirs = dict(target.fields)
    return theirs.keys() == dict(source.fields).keys() and all(
        kind == theirs[name] or _possible(kind, theirs[name]) for name, kind in source.fields
    )


def _advice(source: DataType, target: DataType) -> str | None:
    kinds = {source, target}
    if isinstance(source, Timestamp) and source.zone and target in (Date(), Time(), Timestamp()):
        return "say which time zone's clock is meant: `x at time zone 'UTC'`"
    if isinstance(target, Timestamp) and target.zone and source in (Date(), Timestamp()):
        return "say which time zone's clock it was read from: `x at time zone 'UTC'`"
    if isinstance(target, Boolean) and source.is_number:
        return "write a comparison, as in `x <> 0`"
    if source == Timestamp() and target == Time():
        return "`time(x)` is the time of day of a timestamp"
    if isinstance(source, List | Struct) and isinstance(target, String):
        return "cast it to json"
    if kinds & {Interval()}:
        return "write `interval '3 days'`, or `to_days(n)` and its like"
    return None


def notation_problem(target: DataType, written: CastFormat) -> tuple[str, str | None] | None:
    """Why a text cannot be read as the type in this notation, and what to write instead; None when it can."""
    if written.pattern is not None:
        return _pattern_problem(target, written.pattern)
    if written.decimal_mark == written.thousands_mark:
        return (
            f"`{written.decimal_mark}` cannot part both thousands and decimals",
            "leave out `thousands_mark`, or change one of them",
        )
    alike = {word.lower() for word in written.true_words} & {word.lower() for word in written.false_words}
    if alike:
        return f"`{min(alike)}` cannot be both true and false", "leave it out of `true_words` or `false_words`"
    return None


def _pattern_problem(target: DataType, pattern: str) -> tuple[str, str | None] | None:
    if not isinstance(target, Date | Time | Timestamp):
        return f"a format says how dates and times are written, and this is {target}", "leave out `format`, or change the type"
    if problem := format_problem(pattern):
        return problem
    instant = isinstance(target, Timestamp) and target.zone
    if instant and not has_offset(pattern):
        return (
            "a timestamptz needs an offset, and this format has none",
            "add `%z`, or make it a timestamp and use `at time zone`",
        )
    if has_offset(pattern) and not instant:
        return f"this format has an offset, which {target} would lose", "make it a timestamptz, or leave out `%z`"
    return None
