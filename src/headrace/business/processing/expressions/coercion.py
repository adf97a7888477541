"""How the types of two sides are brought together. Only what loses nothing happens by itself: literals take the type of the
other side, numbers widen, a date becomes its midnight. Text never becomes a number, and a number never becomes text."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal as Exact
from itertools import pairwise

from headrace.business.model.schema import did_you_mean
from headrace.business.model.types import (
    DataType,
    Date,
    Decimal,
    Enum,
    Float,
    Integer,
    Json,
    List,
    Null,
    String,
    Struct,
    Timestamp,
)
from headrace.business.processing.expressions.faults import BindError
from headrace.business.processing.expressions.ir import Call, Case, Cast, Constant, Expr
from headrace.business.processing.expressions.iso import is_moment, read_moment
from headrace.business.processing.expressions.number_types import as_decimal, common_number


def common_type(left: DataType, right: DataType) -> DataType | None:
    """The type to which values of both can be brought without loss (floats: to the nearest), or None."""
    if left == right or isinstance(right, Null):
        return left
    if isinstance(left, Null):
        return right
    if left.is_number and right.is_number:
        return common_number(left, right)
    if isinstance(left, String | Enum) and isinstance(right, String | Enum):
        return String()
    if {left, right} == {Date(), Timestamp()}:
        return Timestamp()
    if isinstance(left, List) and isinstance(right, List):
        item = common_type(left.item, right.item)
        return List(item) if item else None
    if isinstance(left, Struct) and isinstance(right, Struct):
        return _common_struct(left, right)
    return None


def _common_struct(left: Struct, right: Struct) -> Struct | None:
    if [name for name, _ in left.fields] != [name for name, _ in right.fields]:
        return None
    kinds = [(name, common_type(kind, right.field(name) or Null())) for name, kind in left.fields]
    return Struct(tuple((name, kind) for name, kind in kinds if kind)) if all(kind for _, kind in kinds) else None


def common_type_of(values: tuple[Expr, ...]) -> DataType | None:
    """The type to which several values can be brought. Literals give way to the types of the others."""
    fixed = [v.type for v in values if not _adapts(v)] or [v.type for v in values]
    if len(fixed) < len(values):
        kind = _folded(fixed)
        loose = [v for v in values if _adapts(v)]
        if kind is not None and all(_fits(v, kind) for v in loose):
            return kind
    return _folded([v.type for v in values])


def _folded(kinds: list[DataType]) -> DataType | None:
    found: DataType | None = kinds[0]
    for kind in kinds[1:]:
        found = common_type(found, kind) if found is not None else None
    return found


def coerce(value: Expr, kind: DataType) -> Expr:
    """The value as `kind`, where that loses nothing. Raises `BindError`."""
    if value.type == kind:
        return value
    if isinstance(value, Constant) and (changed := _literal(value, kind)) is not None:
        return changed
    if isinstance(value, Call) and value.function == "list_value" and isinstance(kind, List):
        return Call(kind, "list_value", tuple(coerce(item, kind.item) for item in value.args))
    if isinstance(value, Case) and isinstance(value.otherwise.type, Null):
        return retyped(value, kind)
    if common_type(value.type, kind) == kind:
        return Cast(kind, value)
    raise BindError(f"this is {a(value.type)}, where {a(kind)} is needed", clash_hint(value.type, kind))


def retyped(value: Case, kind: DataType) -> Case:
    branches = tuple((condition, coerce(result, kind)) for condition, result in value.branches)
    return replace(value, type=kind, branches=branches, otherwise=coerce(value.otherwise, kind))


def alike(values: tuple[Expr, ...], what: str) -> tuple[Expr, ...]:
    """The values brought to one type. Raises `BindError` for the first that does not go with those before it."""
    kind = common_type_of(values)
    if kind is not None:
        return tuple(coerce(value, kind) for value in values)
    for i, (before, value) in enumerate(pairwise(values), 1):
        if common_type_of((before, value)) is None:
            literal = _misread(before, value) or _misread(value, before)
            if literal is not None:
                raise BindError(literal.message, literal.hint, i if isinstance(value, Constant) else i - 1)
            hint = clash_hint(before.type, value.type) or clash_hint(value.type, before.type)
            raise BindError(f"{a(before.type)} and {a(value.type)} cannot be {what}", hint, i)
    raise BindError(f"{', '.join(str(v.type) for v in values)} cannot be {what}")


def comparable(left: Expr, right: Expr) -> tuple[Expr, Expr]:
    """Both sides of a comparison. Integers of any width and decimals of any scale compare exactly as they are."""
    same_family = (isinstance(left.type, Integer) and isinstance(right.type, Integer)) or (
        isinstance(left.type, Decimal) and isinstance(right.type, Decimal)
    )
    if same_family:
        return left, right
    for i, (value, other) in enumerate(((left, right), (right, left))):
        if isinstance(value, Constant) and isinstance(other.type, Enum) and (error := _misread(value, other)):
            raise BindError(error.message, error.hint, i)
    first, second = alike((left, right), "compared")
    return first, second


def _adapts(value: Expr) -> bool:
    return isinstance(value, Constant) and (value.type.is_number or isinstance(value.type, String | Null))


def _fits(value: Expr, kind: DataType) -> bool:
    try:
        return isinstance(value, Constant) and _literal(value, kind) is not None
    except BindError:
        return False


def _misread(value: Expr, other: Expr) -> BindError | None:
    try:
        if isinstance(value, Constant):
            _literal(value, other.type)
    except BindError as error:
        return error
    return None


def _literal(value: Constant, kind: DataType) -> Constant | None:
    """A literal as another type; None when it is not of a sort that adapts. Raises `BindError` when it should and does not."""
    written = value.value
    if written is None or value.type == kind:
        return Constant(kind, written)
    if isinstance(written, bool):
        return None
    if isinstance(written, str):
        return _word(written, kind)
    if isinstance(written, int | Exact) and kind.is_number:
        return _number(written, kind)
    if isinstance(written, date) and not isinstance(written, datetime) and kind == Timestamp():
        return Constant(kind, datetime(written.year, written.month, written.day))  # noqa: DTZ001 - a zone-less type
    return None


def _word(written: str, kind: DataType) -> Constant | None:
    if is_moment(kind):
        try:
            return Constant(kind, read_moment(written, kind))
        except ValueError as error:
            raise BindError(f"`{written}` is not {a(kind)}", str(error)) from None
    if isinstance(kind, Enum):
        if written not in kind.values:
            raise BindError(f"`{written}` is none of the words of this column", did_you_mean(written, kind.values))
        return Constant(kind, written)
    return Constant(kind, written) if isinstance(kind, String) else None


def _number(written: int | Exact, kind: DataType) -> Constant | None:
    if isinstance(kind, Float):
        return Constant(kind, float(written))
    if isinstance(kind, Integer):
        fits = isinstance(written, int) and kind.lowest <= written <= kind.highest
        return Constant(kind, written) if fits else None
    if not isinstance(kind, Decimal):
        return None
    exact = Exact(written)
    _, digits, exponent = exact.as_tuple()
    places = max(-int(exponent), 0)
    if places > kind.scale or len(digits) + int(exponent) > kind.precision - kind.scale:
        return None
    return Constant(kind, exact)


def a(kind: DataType) -> str:
    """A type with its article."""
    word = "null" if isinstance(kind, Null) else str(kind)
    return f"an {word}" if word[0] in "aeio" else f"a {word}"


def clash_hint(have: DataType, want: DataType) -> str | None:
    """What to write instead, where two types do not go together."""
    if isinstance(have, String) and want.is_number:
        return "text and numbers do not mix: write numbers without quotes, or cast one side, as in `cast(x as int64)`"
    if {have, want} <= {Date(), Timestamp(), Timestamp(zone=True)} and Timestamp(zone=True) in (have, want):
        return "say which time zone is meant: `x at time zone 'UTC'`"
    if want == Date() and have == Timestamp():
        return "`date(x)` is the day of a timestamp"
    if isinstance(have, Json) or isinstance(want, Json):
        return "take a part of the json: `value ->> '$.name'` is text"
    if isinstance(have, String) and is_moment(want):
        return f"cast the text: `cast(x as {want})`, or read another notation with `strptime(x, '%d.%m.%Y')`"
    if isinstance(want, String) and not isinstance(have, String):
        return "cast it: `cast(x as string)`"
    if str(want) == "boolean" and have.is_number:
        return "write a comparison, as in `x <> 0`"
    return None


__all__ = ["a", "alike", "as_decimal", "clash_hint", "coerce", "common_type", "common_type_of", "comparable", "retyped"]
