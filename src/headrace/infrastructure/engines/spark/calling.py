"""How the tables of functions write a call. Not which functions there are."""

from __future__ import annotations

from collections.abc import Sequence

from headrace.business.model.types import DataType, Float, Integer
from headrace.business.processing.expressions.ir import Call, Constant, Expr
from headrace.infrastructure.engines.spark.types import is_wide, spark_type
from headrace.infrastructure.engines.sql.dialect import Lowering

_MOST = 2**31 - 1


def written(e: Expr) -> object:
    """The value of a literal, else None."""
    return e.value if isinstance(e, Constant) else None


def listed(template: str) -> Lowering:
    """All arguments behind each other."""
    return lambda _, args: template.format(", ".join(args))


def big(template: str) -> Lowering:
    """What Spark counts in 32 bits."""
    return lambda _, args: f"CAST({template.format(*args)} AS BIGINT)"


def as_type(sql: str, kind: DataType) -> str:
    return f"CAST({sql} AS {spark_type(kind)})"


def as_result(sql: str, e: Expr) -> str:
    return as_type(sql, e.type)


def small(sql: str, e: Expr) -> str:
    """A count as Spark takes it: in 32 bits, where everything beyond them means the same."""
    value = written(e)
    if isinstance(value, int) and abs(value) < 2**31:
        return str(value)
    return f"CASE WHEN {sql} > {_MOST} THEN {_MOST} WHEN {sql} < -{_MOST} THEN -{_MOST} ELSE CAST({sql} AS INT) END"


def reckoned(sql: str, e: Expr, kind: DataType) -> str:
    """An argument in the type in which its result is calculated; Spark would calculate in the wider of the arguments' types."""
    if e.type == kind or (is_wide(kind) and is_wide(e.type)):
        return sql
    if isinstance(kind, Float) or (isinstance(kind, Integer) and isinstance(e.type, Integer)):
        return as_type(sql, kind)
    return sql


def args_in(kind: DataType, e: Call, args: Sequence[str]) -> list[str]:
    return [reckoned(sql, arg, kind) for sql, arg in zip(args, e.args, strict=True)]
