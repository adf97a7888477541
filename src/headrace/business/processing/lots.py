"""The lot of a row, by which samples are drawn: a text that follows from the values of the row and a seed alone, on every engine the same.
Not how many rows are drawn.
"""

from __future__ import annotations

from headrace.business.model.schema import Schema
from headrace.business.model.types import DataType, Enum, Interval, Json, List, Null, String, Struct
from headrace.business.processing.expressions.build import cast, column, constant, test, text
from headrace.business.processing.expressions.ir import Call, Expr

#: What lots begin with says where they lie between the least and the greatest.
_DIGITS = 16
#: Functions of some databases take no more than a hundred arguments.
_AT_ONCE = 80


def lot(schema: Schema, seed: int) -> Expr:
    """Thirty-two hexadecimal digits. Columns of intervals, which have no text, have no part in it."""
    parts = [_text(column(c.name, c.type)) for c in schema if not _without_text(c.type)]
    marked = [part for one in parts for part in (constant("|", String()), one)]
    joined: Expr = constant(str(seed), String())
    for at in range(0, len(marked), _AT_ONCE):
        joined = text("concat", joined, *marked[at : at + _AT_ONCE])
    return text("md5", joined)


def among_the_first(lot: Expr, share: float) -> Expr:
    """Whether the lot is one of those in this share of all that there can be."""
    bound = round(share * 16**_DIGITS)
    last = f"{bound:0{_DIGITS}x}" if bound < 16**_DIGITS else "g"
    return test("less", lot, constant(last, String()))


def _text(value: Expr) -> Expr:
    """A value as text, null where it has none; `concat` leaves that out."""
    kind = value.type
    if isinstance(kind, String):
        return value
    if isinstance(kind, Json):
        return Call(String(), "json_text", (value, constant("$", String())))
    if isinstance(kind, List | Struct):
        return _text(cast(value, Json(), lenient=True))
    return cast(value, String(), lenient=isinstance(kind, Enum))


def _without_text(kind: DataType) -> bool:
    if isinstance(kind, List):
        return _without_text(kind.item)
    if isinstance(kind, Struct):
        return any(_without_text(field) for _, field in kind.fields)
    return isinstance(kind, Interval | Null)
