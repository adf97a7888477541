"""The aggregates of the catalogue in Snowflake's SQL. There is no FILTER there: a row that does not count gives a null instead."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal as Exact

from headrace.business.model.types import Boolean, Float
from headrace.business.processing.expressions.ir import Aggregate, Cast, Constant, Expr
from headrace.infrastructure.engines.snowflake.types import snowflake_type

#: Of the aggregate, its arguments where they count (or null), `DISTINCT ` or nothing, an order, and ` OVER (...)` or nothing.
Make = Callable[[Aggregate, Sequence[str], str, str, str], str]


def _plain(name: str) -> Make:
    return lambda _, args, distinct, __, over: f"{name}({distinct}{', '.join(args)}){over}"


def _floats(name: str) -> Make:
    return lambda _, args, distinct, __, over: f"{name}({distinct}{_as_float(args)}){over}"


def _exactly(e: Aggregate, args: Sequence[str]) -> str:
    """The numbers in a type that is said, so that nobody takes them for something else on the way."""
    return f"CAST({args[0]} AS {snowflake_type(e.args[0].type)})"


def _as_float(args: Sequence[str]) -> str:
    return f"CAST({args[0]} AS FLOAT)"


def _sum(e: Aggregate, args: Sequence[str], distinct: str, _: str, over: str) -> str:
    call = f"SUM({distinct}{_exactly(e, args)}){over}"
    return call if isinstance(e.type, Float) else f"CAST({call} AS {snowflake_type(e.type)})"


def _avg(e: Aggregate, args: Sequence[str], distinct: str, _: str, over: str) -> str:
    """Of exact numbers the exact sum, divided as a float by how many there are."""
    inside = f"({distinct}{_exactly(e, args)}){over}"
    if isinstance(e.args[0].type, Float):
        return f"AVG{inside}"
    return f"(CAST(SUM{inside} AS FLOAT) / NULLIF(COUNT{inside}, 0))"


def _extreme(name: str, of_booleans: str) -> Make:
    return lambda e, args, _, __, over: f"{of_booleans if isinstance(e.args[0].type, Boolean) else name}({args[0]}){over}"


def _within(name: str, share: str | None = None, *, floats: bool = False) -> Make:
    def make(e: Aggregate, args: Sequence[str], _: str, __: str, ___: str) -> str:
        value = _as_float(args) if floats else args[0]
        return f"{name}({share or _plainly(e.args[1])}) WITHIN GROUP (ORDER BY {value})"

    return make


def _plainly(share: Expr) -> str:
    """A share is a constant, which Snowflake takes as a bare number alone."""
    value = share.value if isinstance(share, Cast) else share
    return f"{Exact(str(value.value)):f}" if isinstance(value, Constant) else "NULL"


def _boolean(name: str) -> Make:
    """Of several equal ones it is the same."""
    return lambda _, args, __, ___, over: f"{name}({args[0]}){over}"


def _string_agg(_: Aggregate, args: Sequence[str], distinct: str, order: str, __: str) -> str:
    """Of no text at all there is none; LISTAGG would give the empty one."""
    ordered = order or f"{args[0]} ASC"
    joined = f"LISTAGG({distinct}{args[0]}, {args[1]}) WITHIN GROUP (ORDER BY {ordered})"
    return f"CASE WHEN COUNT({args[0]}) > 0 THEN {joined} END"


AGGREGATES: dict[str, Make] = {
    "sum": _sum, "avg": _avg,
    "min": _extreme("MIN", "BOOLAND_AGG"), "max": _extreme("MAX", "BOOLOR_AGG"), "any_value": _extreme("MIN", "BOOLAND_AGG"),
    "bool_and": _boolean("BOOLAND_AGG"), "bool_or": _boolean("BOOLOR_AGG"),
    "stddev": _floats("STDDEV_SAMP"), "variance": _floats("VAR_SAMP"), "stddev_pop": _floats("STDDEV_POP"), "var_pop": _floats("VAR_POP"),
    "median": _within("PERCENTILE_CONT", "0.5", floats=True), "quantile": _within("PERCENTILE_CONT", floats=True),
    "quantile_disc": _within("PERCENTILE_DISC"), "approx_quantile": _within("PERCENTILE_DISC", floats=True), "string_agg": _string_agg,
    "count": _plain("COUNT"), "count_if": _plain("COUNT"),
    "approx_count_distinct": lambda _, args, __, ___, ____: f"COUNT(DISTINCT {args[0]})",
}  # fmt: skip

#: What needs its rows in an order, which Snowflake does not do over a window.
WITHIN = {"median", "quantile", "quantile_disc", "approx_quantile", "string_agg"}


def aggregate_problem(e: Aggregate, *, over: bool) -> str | None:
    """Why Snowflake cannot compute it with our meaning, or None."""
    if over and (e.function in WITHIN or e.distinct or e.function == "approx_count_distinct"):
        what = f"`{e.function}`{' of distinct values' if e.distinct else ''}"
        return f"Snowflake has no {what} over a window; group by the same columns and join"
    if e.distinct and e.function in WITHIN - {"string_agg"}:
        return f"Snowflake has no `{e.function}` of distinct values; take it over the result of a step that makes them distinct"
    if e.function in ("median", "quantile") and not e.args[0].type.is_number:
        return f"Snowflake computes `{e.function}` of numbers alone"
    return None


def aggregate_sql(e: Aggregate, args: Sequence[str], where: str | None, order: str, over: str) -> str:
    """The call, with `over` behind it when it looks over a window."""
    distinct = "DISTINCT " if e.distinct else ""
    if e.function == "count" and not args:
        args = ["*"] if where is None else [f"CASE WHEN {where} THEN 1 END"]
    elif e.function == "count_if":
        args = [f"CASE WHEN {args[0] if where is None else f'({where}) AND ({args[0]})'} THEN 1 END"]
    elif where is not None:
        args = [f"CASE WHEN {where} THEN {args[0]} END", *args[1:]]
    return AGGREGATES[e.function](e, args, distinct, order, over)
