"""The aggregates of the catalogue in Spark's SQL, so that each gives one documented value whatever the order of the rows.

Spark collects values in no order. What needs one is collected with the keys of the order beside each value, and put in order then.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from headrace.business.model.types import Decimal, Float, Integer, List
from headrace.business.processing.expressions.ir import Aggregate, Expr, SortKey
from headrace.infrastructure.engines.spark.types import holds_json, is_wide, spark_type
from headrace.records import record


@record
class _Form:
    """How an aggregate is called: the function and its arguments, a condition of its own, and what is put around it."""

    name: str
    args: str
    where: str = ""
    around: str = "{}"
    within: str = ""
    distinct: bool = False


Lowering = Callable[[Aggregate, Sequence[str]], _Form]
#: What prints an expression: given, because the printer stands on the dialect and the dialect on this table.
PrintKey = Callable[[Expr], str]

_DOUBLE = "CAST({} AS DOUBLE)"


def _plain(name: str) -> Lowering:
    return lambda _, args: _Form(name, ", ".join(args))


def _count(_: Aggregate, args: Sequence[str]) -> _Form:
    return _Form("count", ", ".join(args) or "*")


def _exact(e: Aggregate, args: Sequence[str]) -> str:
    """The argument, so that no sum on the way is too large."""
    kind = e.args[0].type
    if isinstance(kind, Decimal):
        return f"CAST({args[0]} AS DECIMAL(38, {kind.scale}))"
    if isinstance(kind, Integer) and (kind.bits >= 64 or is_wide(kind)):
        return f"CAST({args[0]} AS DECIMAL(38, 0))"
    return _DOUBLE.format(args[0]) if isinstance(kind, Float) else args[0]


def _sum(e: Aggregate, args: Sequence[str]) -> _Form:
    """A sum that does not fit its type is an error. Reals are added as floats."""
    return _Form("sum", _exact(e, args), around=f"CAST({{}} AS {spark_type(e.type)})")


def _avg(e: Aggregate, args: Sequence[str]) -> _Form:
    """Of exact numbers the exact sum, divided as a float by how many there are."""
    if isinstance(e.args[0].type, Float):
        return _Form("avg", _DOUBLE.format(args[0]))
    return _Form("sum", _exact(e, args), around="try_divide(CAST({} AS DOUBLE), CAST({count} AS DOUBLE))")


def _in_floats(name: str, around: str = "{}") -> Lowering:
    return lambda _, args: _Form(name, ", ".join(map(_DOUBLE.format, args)), around=around)


def _median(_: Aggregate, args: Sequence[str]) -> _Form:
    return _Form("percentile", f"{_DOUBLE.format(args[0])}, 0.5D")


def _quantile(_: Aggregate, args: Sequence[str]) -> _Form:
    return _Form("percentile", f"{_DOUBLE.format(args[0])}, {_DOUBLE.format(args[1])}")


def _quantile_disc(_: Aggregate, args: Sequence[str]) -> _Form:
    place = f"greatest(CAST(ceil({_DOUBLE.format(args[1])} * {{count}}) AS INT), 1)"
    return _Form("collect_list", args[0], around=f"try_element_at(array_sort({{}}), {place})")


def _by(name: str) -> Lowering:
    """The rows are compared by both values, so that of several equal ones the same one is always taken."""

    def lower(_: Aggregate, args: Sequence[str]) -> _Form:
        value, by = args
        pair = f"named_struct('by', {by}, 'value', {value})"
        return _Form(name, pair, f"{value} IS NOT NULL AND {by} IS NOT NULL", "{}.value")

    return lower


AGGREGATES: dict[str, Lowering] = {
    "count": _count,
    "count_if": lambda _, args: _Form("count", "*", args[0]),
    "sum": _sum, "avg": _avg,
    "min": _plain("min"), "max": _plain("max"), "any_value": _plain("min"),
    "bool_and": _plain("bool_and"), "bool_or": _plain("bool_or"),
    "stddev": _in_floats("stddev_samp"), "stddev_pop": _in_floats("stddev_pop"),
    "variance": _in_floats("var_samp"), "var_pop": _in_floats("var_pop"),
    "corr": _in_floats("corr", "nullif({}, double('nan'))"),
    "median": _median, "quantile": _quantile, "quantile_disc": _quantile_disc, "approx_quantile": _quantile_disc,
    "mode": lambda _, args: _Form("mode", "", within=args[0]),
    "arg_min": _by("min"), "arg_max": _by("max"),
    "approx_count_distinct": lambda _, args: _Form("count", args[0], distinct=True),
}  # fmt: skip
#: What is collected with the keys of its order.
ORDERED = ("first", "last", "list", "string_agg")
#: What does not go over a window in Spark, or only without a frame.
_PLACED = {"median", "quantile", "quantile_disc", "approx_quantile"}
_NOT_OVER = _PLACED | {"first", "last", "list", "string_agg", "mode", "approx_count_distinct"}
_OF_ORDER = {"min", "max", "any_value", "arg_min", "arg_max", "quantile_disc"}
_NO_DISTINCT = _PLACED | {"mode", "corr", "stddev", "stddev_pop", "variance", "var_pop"}


def aggregate_problem(e: Aggregate, *, over: bool) -> str | None:
    """Why Spark cannot compute it, or None."""
    if over and (e.function in _NOT_OVER or e.distinct):
        what = f"`{e.function}`{' of distinct values' if e.distinct else ''}"
        return f"Spark has no {what} over a window; group by the same columns and join"
    if e.distinct and e.function in _NO_DISTINCT:
        return f"Spark has no `{e.function}` of distinct values; take it over the result of a step that makes them distinct"
    if e.function in ("arg_min", "arg_max", "mode", "min", "max", "any_value") and any(holds_json(arg.type) for arg in e.args):
        return "JSON has no order; take parts of it"
    if (e.function in _OF_ORDER and any(isinstance(arg.type, List) for arg in e.args)) or any(
        isinstance(k.expression.type, List) for k in e.order_by
    ):
        return "Spark orders a list with a null in it before others; join the items to one text with `list_join`"
    if e.function == "mode" and isinstance(e.args[0].type, List):
        return "Spark has no `mode` of lists; join the items to one text with `list_join`"
    return None


def aggregate_sql(e: Aggregate, args: Sequence[str], where: str | None, over: str, print_key: PrintKey) -> str:
    """The call, with `over` behind it when it looks over a window."""
    if e.function in ORDERED:
        return _ordered(e, args, where, print_key)
    form = AGGREGATES[e.function](e, args)
    conditions = [condition for condition in (form.where, where) if condition]
    only = f" FILTER (WHERE {' AND '.join(conditions)})" if conditions else ""
    distinct = "DISTINCT " if e.distinct or form.distinct else ""
    within = f" WITHIN GROUP (ORDER BY {form.within})" if form.within else ""
    call = f"{form.name}({distinct}{form.args}){within}{only}{over}"
    return form.around.replace("{}", call).replace("{count}", f"count({distinct}{args[0] if args else '*'}){only}{over}")


def _ordered(e: Aggregate, args: Sequence[str], where: str | None, print_key: PrintKey) -> str:
    """All values in order as a list, or one end of it, or a text. Spark's own `listagg` fails beside anything distinct."""
    value = args[0]
    if e.function == "string_agg":
        where = " AND ".join([f"{value} IS NOT NULL", *([where] if where else [])])
    keys = "".join(f", 'k{i}', {print_key(key.expression)}" for i, key in enumerate(e.order_by))
    only = f" FILTER (WHERE {where})" if where else ""
    rows = f"collect_list({'DISTINCT ' if e.distinct else ''}named_struct('value', {value}{keys})){only}"
    ordered = f"array_sort({rows}, (a, b) -> {_comparison(e.order_by)})"
    values = f"transform({ordered}, row -> row.value)"
    if e.function == "list":
        return f"CASE WHEN size({rows}) > 0 THEN {values} END"
    if e.function == "string_agg":
        return f"CASE WHEN size({rows}) > 0 THEN array_join({values}, {args[1] if len(args) > 1 else chr(39) * 2}) END"
    return f"try_element_at({ordered}, {1 if e.function == 'first' else -1}).value"


def _comparison(keys: Sequence[SortKey]) -> str:
    made = "0"
    for i, key in reversed(list(enumerate(keys))):
        left, right = f"a.k{i}", f"b.k{i}"
        first, last = ("-1", "1") if key.nulls_first else ("1", "-1")
        less = ">" if key.descending else "<"
        made = (
            f"CASE WHEN {left} <=> {right} THEN {made} WHEN {left} IS NULL THEN {first} WHEN {right} IS NULL THEN {last} "
            f"WHEN {left} {less} {right} THEN -1 ELSE 1 END"
        )
    return made
