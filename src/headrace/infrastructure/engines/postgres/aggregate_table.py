"""The aggregates of the catalogue in PostgreSQL's SQL, so that each gives one documented value whatever the order of the rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from headrace.business.model.types import Binary, Boolean, DataType, Float, Integer, Json, List
from headrace.business.processing.expressions.ir import Aggregate
from headrace.infrastructure.engines.postgres.calling import OWN
from headrace.infrastructure.engines.postgres.collation import by_code_point
from headrace.infrastructure.engines.postgres.types import postgres_type
from headrace.records import record


@record
class _Form:
    """How an aggregate is called: the function, its arguments, an order, a condition of its own, and what is put around it."""

    name: str
    args: str
    order: str = ""
    where: str = ""
    around: str = "{}"
    within: str = ""
    """What an ordered-set aggregate is ordered by."""
    distinct: bool = False


Lowering = Callable[[Aggregate, Sequence[str]], _Form]


def _plain(name: str) -> Lowering:
    return lambda _, args: _Form(name, ", ".join(args))


def _first(e: Aggregate, args: Sequence[str]) -> str:
    return by_code_point(args[0], e.args[0].type)


def _count(e: Aggregate, args: Sequence[str]) -> _Form:
    return _Form("count", _first(e, args) if args else "*")


def _sum(e: Aggregate, args: Sequence[str]) -> _Form:
    """A sum that does not fit its type is an error. Reals are added as floats."""
    kind = e.args[0].type
    if isinstance(kind, Float):
        return _Form("sum", f"CAST({args[0]} AS double precision)" if kind.bits == 32 else args[0])
    if isinstance(e.type, Integer) and e.type.bits == 128:
        return _Form("sum", args[0], around=f"{OWN}in_range({{}}, {e.type.lowest}, {e.type.highest})")
    return _Form("sum", args[0], around=f"CAST({{}} AS {postgres_type(e.type)})")


def _avg(e: Aggregate, args: Sequence[str]) -> _Form:
    """Of exact numbers the exact sum, divided as a float by how many there are."""
    if isinstance(e.args[0].type, Float):
        return _Form("avg", f"CAST({args[0]} AS double precision)")
    return _Form("sum", args[0], around="(CAST({} AS double precision) / {count})")


def _extreme(name: str, of_booleans: str) -> Lowering:
    """PostgreSQL has no least boolean, and no least bytes before its version 18."""

    def lower(e: Aggregate, args: Sequence[str]) -> _Form:
        kind = e.args[0].type
        if isinstance(kind, Boolean):
            return _Form(of_booleans, args[0])
        if isinstance(kind, Binary):
            order = f"{args[0]} {'ASC' if name == 'min' else 'DESC'}"
            return _Form("array_agg", args[0], order, f"{args[0]} IS NOT NULL", "({})[1]")
        return _Form(name, _first(e, args))

    return lower


def _percentile(name: str, share: str | None = None) -> Lowering:
    return lambda e, args: _Form(name, share or args[1], within=_first(e, args))


def _at_end(function: str) -> Lowering:
    """The rows are put in order as a list, of which one end is taken."""
    return lambda _, args: _Form("array_agg", args[0], around=function)


def _sorted(sql: str, kind: DataType) -> str:
    return f'CAST({sql} AS text) COLLATE "C"' if isinstance(kind, Json) else by_code_point(sql, kind)


def _by(direction: str) -> Lowering:
    """The rows are ordered by both values, so that of several equal ones the same one is always taken."""

    def lower(e: Aggregate, args: Sequence[str]) -> _Form:
        value, by = _sorted(args[0], e.args[0].type), _sorted(args[1], e.args[1].type)
        only = f"{args[0]} IS NOT NULL AND {args[1]} IS NOT NULL"
        return _Form("array_agg", args[0], f"{by} {direction}, {value} {direction}", only, "({})[1]")

    return lower


def _collected(name: str) -> Lowering:
    """With DISTINCT, PostgreSQL asks for the order in the words of the argument."""
    return lambda e, args: _Form(name, ", ".join([_first(e, args) if e.distinct else args[0], *args[1:]]))


AGGREGATES: dict[str, Lowering] = {
    "count": _count,
    "count_if": lambda _, args: _Form("count", "*", where=args[0]),
    "sum": _sum, "avg": _avg,
    "min": _extreme("min", "bool_and"), "max": _extreme("max", "bool_or"), "any_value": _extreme("min", "bool_and"),
    **{name: _plain(name) for name in ("stddev_pop", "var_pop", "bool_and", "bool_or")},
    "corr": lambda _, args: _Form("corr", ", ".join(args), around="nullif({}, 'NaN')"),
    "stddev": _plain("stddev_samp"), "variance": _plain("var_samp"),
    "median": _percentile("percentile_cont", "0.5"), "quantile": _percentile("percentile_cont"),
    "quantile_disc": _percentile("percentile_disc"), "approx_quantile": _percentile("percentile_disc"),
    "mode": lambda e, args: _Form("mode", "", within=_first(e, args)),
    "first": _at_end("({})[1]"), "last": _at_end(f"{OWN}last_item({{}})"),
    "arg_min": _by("ASC"), "arg_max": _by("DESC"),
    "list": _collected("array_agg"), "string_agg": _collected("string_agg"),
    "approx_count_distinct": lambda e, args: _Form("count", _sorted(args[0], e.args[0].type), distinct=True),
}  # fmt: skip

#: What PostgreSQL computes over rows that it puts in order by itself.
WITHIN = {"median", "quantile", "quantile_disc", "approx_quantile", "mode"}
#: What needs the rows in an order of its own, which PostgreSQL does not do over a window.
ORDERED = WITHIN | {"first", "last", "arg_min", "arg_max", "list", "string_agg"}


def aggregate_problem(e: Aggregate, *, over: bool) -> str | None:
    """Why PostgreSQL cannot compute it, or None."""
    if over and (e.function in ORDERED or e.distinct or e.function == "approx_count_distinct"):
        what = f"`{e.function}`{' of distinct values' if e.distinct else ''}"
        return f"PostgreSQL has no {what} over a window; group by the same columns and join"
    if over and e.args and isinstance(e.args[0].type, Binary) and e.function in ("min", "max", "any_value"):
        return f"PostgreSQL has no `{e.function}` of bytes over a window; cast them to string"
    if e.function in ("first", "last", "list", "arg_min", "arg_max", "mode") and isinstance(e.args[0].type, List):
        return f"PostgreSQL has no `{e.function}` of lists; join the items to one text with `list_join`"
    if e.distinct and e.function in WITHIN:
        return (
            f"PostgreSQL has no `{e.function}` of distinct values; take it over the result of a step that makes them distinct"
        )
    return None


def aggregate_sql(e: Aggregate, args: Sequence[str], where: str | None, order: str, over: str) -> str:
    """The call, with `over` behind it when it looks over a window."""
    form = AGGREGATES[e.function](e, args)
    distinct = "DISTINCT " if e.distinct or form.distinct else ""
    ordered = f" ORDER BY {order or form.order}" if (order or form.order) and not form.within else ""
    within = f" WITHIN GROUP (ORDER BY {form.within})" if form.within else ""
    conditions = [condition for condition in (form.where, where) if condition]
    only = f" FILTER (WHERE {' AND '.join(conditions)})" if conditions else ""
    rest = f"{only}{over}"
    call = f"{form.name}({distinct}{form.args}{ordered}){within}{rest}"
    return form.around.replace("{}", call).replace("{count}", f"count({distinct}{form.args}){rest}")
