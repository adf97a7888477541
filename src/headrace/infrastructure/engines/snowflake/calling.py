"""How the tables of functions write a call. Not which functions there are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Self

from headrace.business.model.types import DataType, Integer
from headrace.business.processing.expressions.ir import Call, Constant, Expr
from headrace.infrastructure.engines.snowflake.types import snowflake_type
from headrace.infrastructure.engines.sql.dialect import Lowering

Make = Callable[[Call, Sequence[str]], str]


def written(e: Expr) -> object:
    """The value of a literal, else None."""
    return e.value if isinstance(e, Constant) else None


def listed(template: str) -> Lowering:
    """All arguments behind each other."""
    return lambda _, args: template.format(", ".join(args))


def as_result(sql: str, e: Expr) -> str:
    return f"CAST({sql} AS {snowflake_type(e.type)})"


def counted(template: str) -> Lowering:
    """What is a number of 64 bits for us."""
    return lambda e, args: as_result(template.format(*args), e)


class _Parts(NamedTuple):
    number: str
    conditions: tuple[str, ...]


class Bounded(str):
    """The text of a whole number that has to fit its type, with what it is made of: so that a longer calculation can ask for the
    bounds of all its parts at once, instead of putting each of them in twice."""

    parts: _Parts

    def __new__(cls, number: str, conditions: Sequence[str], kind: DataType) -> Self:
        misfits = " OR ".join(conditions)
        made = super().__new__(cls, f"CASE WHEN {misfits} THEN {misfit(number, kind)} ELSE {number} END")
        made.parts = _Parts(number, tuple(conditions))
        return made


def bounded(number: str, kind: Integer, args: Sequence[str]) -> str:
    """A whole number calculated of these arguments, which is an error where it does not fit its type. `number` names them by place."""
    below = tuple(c for arg in args if isinstance(arg, Bounded) for c in arg.parts.conditions)
    plain = number.format(*(arg.parts.number if isinstance(arg, Bounded) else arg for arg in args))
    if kind.bits == 128:  # beyond 38 digits Snowflake raises by itself
        return Bounded(plain, below, kind) if below else plain
    return Bounded(plain, (*below, f"{plain} NOT BETWEEN {kind.lowest} AND {kind.highest}"), kind)


def within(value: str, kind: Integer) -> str:
    """A condition: the number fits the type. Of 128 bits Snowflake holds 38 digits, and raises by itself beyond."""
    if kind.bits == 128:
        return f"{value} IS NOT NULL" if kind.signed else f"{value} >= 0"
    return f"{value} BETWEEN {kind.lowest} AND {kind.highest}"


def misfit(value: str, kind: DataType) -> str:
    """An error, when it comes to it: a text that is no value of the type. It depends on the value, so that nobody reads it before."""
    why = f"'a value does not fit {kind} exactly' || LEFT(CAST({value} AS VARCHAR), 0)"
    return f"CAST({why} AS {snowflake_type(kind)})"
