"""The catalogue: aggregates. Each gives the same value for the same rows in whatever order they come, but for the last bits of floats."""

from __future__ import annotations

from collections.abc import Sequence

from headrace.business.model.types import DataType, Decimal, Float, Integer, List
from headrace.business.processing.expressions.faults import BindError
from headrace.business.processing.expressions.function import SKIPS, Function, Order
from headrace.business.processing.expressions.ir import Cast, Constant, Expr

_AGGREGATES = "Aggregates"

#: How many of the most frequent values can be asked for.
MOST_FREQUENT = 1000


def _total(args: Sequence[Expr]) -> DataType:
    kind = args[0].type
    if isinstance(kind, Decimal):
        return Decimal(38, kind.scale)
    if isinstance(kind, Integer):
        return Integer(128) if kind.bits == 128 else Integer(64)
    return Float(64)


def _share(args: Sequence[Expr]) -> None:
    share = args[1]
    if isinstance(share, Constant) and share.value is not None and not 0 <= share.value <= 1:
        raise BindError("a share lies between 0 and 1", "the third quartile is 0.75", 1)


def _some(args: Sequence[Expr]) -> None:
    most = args[1].value if isinstance(args[1], Cast) else args[1]
    if isinstance(most, Constant) and (most.value is None or not 1 <= most.value <= MOST_FREQUENT):
        raise BindError(f"`k` lies between 1 and {MOST_FREQUENT}", "the ten most frequent are `approx_top_k(x, 10)`", 1)


def _over(
    signature: str, meaning: str, example: str, gives: str, *aliases: str, nulls: str = SKIPS, order: Order = "none"
) -> Function:
    return Function(signature, meaning, example, gives, _AGGREGATES, "aggregate", nulls, aliases=aliases, order=order)


#: The examples are over five rows whose `x` is 1, 2, 2, null and 5, and whose `s` is a, b, c, d and e.
FUNCTIONS = (
    _over("count([value: any]) -> int64", "How many rows there are, `count(*)`, or how many have a value.", "count(x)", "4", nulls="nulls are not counted; never null"),
    _over("count_if(condition: boolean) -> int64", "How many rows the condition is true for.", "count_if(x > 1)", "3", nulls="null is not true; never null"),
    Function("sum(value: number) -> number", "The sum. Of integers it is an int64, and an error when it does not fit; of decimals a decimal(38, s).", "sum(x)", "10", _AGGREGATES, "aggregate", SKIPS, result=_total),
    _over("avg(value: number) -> float64", "The mean: the sum, which is exact for integers and decimals, divided by how many there are.", "avg(x)", "2.5", "mean"),
    _over("min(value: ordered) -> ordered", "The first in order.", "min(x)", "1"),
    _over("max(value: ordered) -> ordered", "The last in order; NaN if there is one.", "max(x)", "5"),
    _over("median(value: float64) -> float64", "`quantile` at 0.5.", "median(x)", "2.0"),
    Function("quantile(value: float64, share: constant float64) -> float64", "The value below which this share of the rows lies: at `share * (n - 1)` of the ordered values counted from 0, between two of them in proportion.", "quantile(x, 0.75)", "2.75", _AGGREGATES, "aggregate", SKIPS, aliases=("quantile_cont",), check=_share),
    Function("quantile_disc(value: ordered, share: constant float64) -> ordered", "The first value, in order, up to which at least this share of the rows lies. It is always one of the values.", "quantile_disc(x, 0.75)", "2", _AGGREGATES, "aggregate", SKIPS, check=_share),
    _over("stddev(value: float64) -> float64", "The standard deviation of a sample; null for fewer than two values.", "round(stddev(x), 6)", "1.732051", "stddev_samp"),
    _over("stddev_pop(value: float64) -> float64", "The standard deviation of a population.", "round(stddev_pop(x), 6)", "1.5"),
    _over("variance(value: float64) -> float64", "The variance of a sample; null for fewer than two values.", "round(variance(x), 6)", "3.0", "var_samp"),
    _over("var_pop(value: float64) -> float64", "The variance of a population.", "round(var_pop(x), 6)", "2.25"),
    _over("corr(y: float64, x: float64) -> float64", "Pearson's correlation of the rows in which both have a value; null when one does not vary.", "round(corr(x, -x), 6)", "-1.0"),
    _over("mode(value: ordered) -> ordered", "The most frequent value; of several the first in order.", "mode(x)", "2"),
    _over("any_value(value: ordered) -> ordered", "One of the values: the first in order, so that it is always the same one.", "any_value(x)", "1"),
    _over("first(value: any) -> any", "The value of the row that comes first: `first(x order by t)`.", "first(x order by s desc)", "5", order="required", nulls="a null in that row is the result; null without rows"),
    _over("last(value: any) -> any", "The value of the row that comes last: `last(x order by t)`.", "last(x order by s)", "5", order="required", nulls="a null in that row is the result; null without rows"),
    _over("arg_min(value: any, by: ordered) -> any", "The value of the row in which `by` is least; of several rows the first value in order.", "arg_min(s, x)", "'a'", "min_by", nulls="rows in which either is null are left out"),
    _over("arg_max(value: any, by: ordered) -> any", "The value of the row in which `by` is greatest; of several rows the last value in order.", "arg_max(s, x)", "'e'", "max_by", nulls="rows in which either is null are left out"),
    _over("bool_and(condition: boolean) -> boolean", "Whether it is true for all rows.", "bool_and(x > 0)", "true", "every"),
    _over("bool_or(condition: boolean) -> boolean", "Whether it is true for a row.", "bool_or(x > 4)", "true"),
    _over("string_agg(text: string, separator: constant string) -> string", "The texts with the separator between them, in the order that is said.", "string_agg(s, '' order by s desc)", "'edcba'", "listagg", order="required"),
    _over("list(value: any) -> list<any>", "The values as a list, nulls included, in the order that is said.", "list(x order by s)", "[1, 2, 2, null, 5]", order="required", nulls="nulls are items; null without rows"),
    Function("approx_quantile(value: float64, share: constant float64) -> float64", "About `quantile_disc`: one of the values, whose rank in order is off by less than 0.7 % of the rows in 99 of 100 cases. In a stream it is found in a sketch (KLL) that is exact up to 400 values, and in which NaN is infinity; in a batch it is exact.", "approx_quantile(x, 0.75)", "2.0", _AGGREGATES, "aggregate", SKIPS, check=_share),
    Function("approx_top_k(value: ordered, k: constant int64) -> list<ordered>", "About the `k` most frequent values, the most frequent first; of several the first in order. In a stream they are found in a sketch (frequent items) that is exact up to 3,072 different values, and in which counts are off by less than 0.09 % of the rows beyond; in a batch they are exact.", "approx_top_k(x, 2)", "[2, 1]", _AGGREGATES, "aggregate", SKIPS, result=lambda args: List(args[0].type), check=_some),
    _over("approx_count_distinct(value: any) -> int64", "About how many different values there are, usually within 5 %. Engines differ; use `count(distinct x)` where it matters.", "approx_count_distinct(x) between 2 and 4", "true", nulls="nulls are not counted; never null"),
)  # fmt: skip
