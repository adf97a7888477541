"""The aggregates of the catalogue in DuckDB's SQL, so that each gives one documented value whatever the order of the rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from headrace.business.model.types import Integer
from headrace.business.processing.expressions.ir import Aggregate
from headrace.infrastructure.engines.duckdb.types import duckdb_type
from headrace.records import record


@record
class _Form:
    """How an aggregate is called: the function, its arguments, an order, a condition of its own, and what is put around it."""

    name: str
    args: str
    order: str = ""
    where: str = ""
    around: str = "{}"


Lowering = Callable[[Aggregate, Sequence[str]], _Form]


def _plain(name: str) -> Lowering:
    return lambda _, args: _Form(name, ", ".join(args))


def _count(e: Aggregate, args: Sequence[str]) -> _Form:
    if not args:
        return _Form("count", "*")
    return _Form("count", f"({', '.join(args)})" if len(args) > 1 and e.distinct else args[0])


def _sum(e: Aggregate, args: Sequence[str]) -> _Form:
    """DuckDB adds integers in 128 bits, which Parquet cannot hold."""
    narrowed = isinstance(e.type, Integer) and e.type.bits < 128
    return _Form("sum", args[0], around=f"CAST({{}} AS {duckdb_type(e.type)})" if narrowed else "{}")


def _most_frequent(_: Aggregate, args: Sequence[str]) -> _Form:
    return _Form("mode", args[0], order=f"{args[0]} ASC NULLS LAST")


def _top(_: Aggregate, args: Sequence[str]) -> _Form:
    """The values of a histogram by their number, and of equal numbers by themselves."""
    counted = "list_transform(map_entries({}), lambda e: struct_pack(n := -CAST(e.value AS BIGINT), v := e.key))"
    return _Form("histogram", args[0], around=f"list_transform(list_sort({counted})[1:{args[1]}], lambda e: e.v)")


def _by(name: str) -> Lowering:
    """The rows are compared by both values, so that of several equal ones the same one is always taken."""

    def lower(_: Aggregate, args: Sequence[str]) -> _Form:
        value, by = args
        return _Form(
            name, f'{value}, struct_pack("by" := {by}, "value" := {value})', where=f"{value} IS NOT NULL AND {by} IS NOT NULL"
        )

    return lower


AGGREGATES: dict[str, Lowering] = {
    "count": _count,
    "count_if": lambda _, args: _Form("count", "*", where=args[0]),
    "sum": _sum,
    **{name: _plain(name) for name in ("avg", "min", "max", "stddev_pop", "var_pop", "bool_and", "bool_or", "first", "last", "list",
                                        "string_agg", "approx_count_distinct", "quantile_disc")},
    "stddev": _plain("stddev_samp"), "variance": _plain("var_samp"),
    "median": lambda _, args: _Form("quantile_cont", f"{args[0]}, 0.5"),
    "quantile": _plain("quantile_cont"),
    "corr": lambda _, args: _Form("corr", ", ".join(args), around="nullif({}, 'nan'::DOUBLE)"),
    "mode": _most_frequent, "approx_top_k": _top,
    "approx_quantile": _plain("quantile_disc"),
    "any_value": _plain("min"),
    "arg_min": _by("arg_min"), "arg_max": _by("arg_max"),
}  # fmt: skip


def aggregate_sql(e: Aggregate, args: Sequence[str], where: str | None, order: str, over: str) -> str:
    """The call, with `over` behind it when it looks over a window."""
    form = AGGREGATES[e.function](e, args)
    distinct = "DISTINCT " if e.distinct else ""
    ordered = f" ORDER BY {order or form.order}" if order or form.order else ""
    conditions = [condition for condition in (form.where, where) if condition]
    only = f" FILTER (WHERE {' AND '.join(conditions)})" if conditions else ""
    return form.around.format(f"{form.name}({distinct}{form.args}{ordered}){only}{over}")
