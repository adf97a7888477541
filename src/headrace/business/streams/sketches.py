"""Aggregates whose parts are sketches: small summaries of many values that merge, and answer about. Not how an engine makes them.

Beside the functions of the catalogue an engine of streams has three for each kind of sketch: one of a list of values, one of a list of
sketches, and one that reads a sketch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from headrace.business.model.types import Binary, DataType, Float, Integer, List, String
from headrace.business.processing.expressions.build import is_null, negate, test
from headrace.business.processing.expressions.ir import Aggregate, Call, Cast, ColumnRef, Expr
from headrace.records import record

#: Different values (HyperLogLog): a value as text; a sketch of texts; of sketches; how many it has seen.
SKETCHED, SKETCH, SKETCHES, ESTIMATE = "#sketched", "#sketch", "#sketches", "#estimate"
#: Quantiles (KLL): a sketch of numbers; of sketches; the number up to which a share of them lies.
QUANTILES, QUANTILES_MERGED, QUANTILE_AT = "#quantiles", "#quantiles merged", "#quantile at"
#: Frequent values (frequent items): a sketch of texts; of sketches; the most frequent, the first of them first.
FREQUENT, FREQUENT_MERGED, MOST_FREQUENT = "#frequent", "#frequent merged", "#most frequent"

#: What makes sketches.
MAKING = frozenset((SKETCH, QUANTILES, FREQUENT))


@record
class Sketch:
    """How the part of an aggregate is made of rows, merged with others, and read."""

    make: Expr
    merge: Callable[[ColumnRef], Expr]
    read: Callable[[ColumnRef], Expr]


def _merge(function: str) -> Callable[[ColumnRef], Expr]:
    return lambda part: Call(Binary(), function, (Aggregate(List(Binary()), "list", (part,)),))


def _values(e: Aggregate, value: Expr, kind: DataType, *, distinct: bool = False) -> Expr:
    """The values of the rows that count, as a list."""
    known = negate(is_null(e.args[0]))
    where = known if e.where is None else test("and", e.where, known)
    return Aggregate(List(kind), "list", (value,), distinct=distinct, where=where)


def _different(e: Aggregate) -> Sketch:
    """The values of a group come once each: so Python is asked once for each group and not for each row."""
    texts = _values(e, Call(String(), SKETCHED, e.args), String(), distinct=True)
    return Sketch(Call(Binary(), SKETCH, (texts,)), _merge(SKETCHES), lambda part: Call(Integer(64), ESTIMATE, (part,)))


def _quantile(e: Aggregate) -> Sketch:
    value, share = e.args
    numbers = _values(e, Cast(Float(64), value), Float(64))
    return Sketch(
        Call(Binary(), QUANTILES, (numbers,)),
        _merge(QUANTILES_MERGED),
        lambda part: Call(Float(64), QUANTILE_AT, (part, share)),
    )


def _most_frequent(e: Aggregate) -> Sketch:
    value, most = e.args
    texts = _values(e, Call(String(), SKETCHED, (value,)), String())
    return Sketch(
        Call(Binary(), FREQUENT, (texts,)), _merge(FREQUENT_MERGED), lambda part: Call(e.type, MOST_FREQUENT, (part, most))
    )


SKETCHES_OF: Mapping[str, Callable[[Aggregate], Sketch]] = {
    "approx_count_distinct": _different,
    "approx_quantile": _quantile,
    "approx_top_k": _most_frequent,
}
