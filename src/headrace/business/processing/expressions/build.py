"""Short ways to build expressions by hand, for rules and steps that are not written as text. Types are the caller's promise."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import reduce
from typing import Any

from headrace.business.model.types import Boolean, DataType, Integer, String
from headrace.business.processing.expressions.ir import Call, Case, Cast, CastFormat, ColumnRef, Constant, Expr

BOOLEAN = Boolean()


def column(name: str, kind: DataType) -> ColumnRef:
    return ColumnRef(kind, name)


def constant(value: Any, kind: DataType) -> Constant:
    return Constant(kind, value)


def cast(value: Expr, kind: DataType, *, lenient: bool = False, written: CastFormat = CastFormat()) -> Cast:
    return Cast(kind, value, lenient, written)


def test(function: str, *args: Expr) -> Call:
    """A function that is true or false."""
    return Call(BOOLEAN, function, args)


def text(function: str, *args: Expr) -> Call:
    """A function that gives a string."""
    return Call(String(), function, args)


def length(value: Expr) -> Call:
    return Call(Integer(64), "length", (value,))


def is_null(value: Expr) -> Call:
    return test("is_null", value)


def negate(value: Expr) -> Call:
    return test("not", value)


def one_of(value: Expr, words: Sequence[Any]) -> Expr:
    """`value in (words)`; false when there are no words and `value` is not null."""
    return test("in", value, *(constant(word, value.type) for word in words))


def all_of(*conditions: Expr) -> Expr:
    return reduce(lambda left, right: test("and", left, right), conditions)


def conjuncts(condition: Expr) -> Iterator[Expr]:
    """The conditions of which all have to hold: what `all_of` has put together."""
    if isinstance(condition, Call) and condition.function == "and":
        for part in condition.args:
            yield from conjuncts(part)
    else:
        yield condition


def any_of(conditions: Iterable[Expr]) -> Expr:
    return reduce(lambda left, right: test("or", left, right), conditions)


def null_if_one_of(value: Expr, words: Sequence[str]) -> Expr:
    """The value, or null if it is one of these words."""
    if len(words) == 1:
        return Call(value.type, "nullif", (value, constant(words[0], value.type)))
    return Case(value.type, ((one_of(value, words), constant(None, value.type)),), value)
