"""How the tables of functions write a call. Not which functions there are."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from headrace.business.processing.expressions.ir import Call, Constant, Expr
from headrace.infrastructure.engines.postgres.collation import by_code_point
from headrace.infrastructure.engines.postgres.types import postgres_type
from headrace.infrastructure.engines.sql.dialect import Lowering

#: Where the functions are that PostgreSQL lacks (see `server`): in the session's own schema, which goes with it.
OWN = "pg_temp."


def written(e: Expr) -> object:
    """The value of a literal, else None."""
    return e.value if isinstance(e, Constant) else None


def own(name: str) -> Lowering:
    return lambda _, args: f"{OWN}{name}({', '.join(args)})"


def listed(template: str) -> Lowering:
    """All arguments behind each other."""
    return lambda _, args: template.format(", ".join(args))


def counted(template: str) -> Lowering:
    """What PostgreSQL counts in 32 bits."""
    return lambda _, args: f"CAST({template.format(*args)} AS bigint)"


def as_result(sql: str, e: Expr) -> str:
    return f"CAST({sql} AS {postgres_type(e.type)})"


def small(sql: str, e: Expr, *, below_zero: bool = True) -> str:
    """A count as PostgreSQL takes it: in 32 bits, where everything beyond them means the same."""
    value = written(e)
    if isinstance(value, int) and abs(value) < 2**31 and (below_zero or value >= 0):
        return str(value)
    return f"{OWN}{'place' if below_zero else 'size'}({sql})"


def compared(template: str) -> Lowering:
    """A comparison: of text by code point."""

    def lower(e: Call, args: Sequence[str]) -> str:
        first = by_code_point(args[0], e.args[0].type)
        return template.format(first, *args[1:])

    return lower


Make = Callable[[Call, Sequence[str]], str]
