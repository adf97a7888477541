"""Aggregates by parts: what is kept of some rows, so that all parts together give the aggregate. Not when they are put together.

Each aggregate becomes columns that are computed of rows and merge by aggregates themselves. Variances are kept as number, mean and sum of
squares around the mean, and merged as Chan, Golub and LeVeque do, so that no digits cancel out. What has no such parts (`median`, `list`,
different values counted exactly) is computed at the end of the rows themselves, which are then kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from headrace.business.model.types import DataType, Decimal, Float, Integer
from headrace.business.processing.expressions.build import column, constant, is_null, negate, test
from headrace.business.processing.expressions.ir import Aggregate, Call, Case, Cast, ColumnRef, Expr, Window
from headrace.business.processing.relation import Relation
from headrace.business.processing.steps.event_windows import Named, grouped_by, number, with_columns
from headrace.business.streams.sketches import MAKING, SKETCHES_OF
from headrace.records import record

_DOUBLE, _COUNT = Float(64), Integer(64)


@record
class Part:
    """A column of what is kept: how it is made of rows, and how it is merged with others of its name."""

    name: str
    make: Expr
    merge: Expr


@dataclass
class Parts:
    """The parts of some measures. `measures` are what comes of them, in columns of what was merged."""

    parts: dict[str, Part] = field(default_factory=dict)
    totals: dict[str, Expr] = field(default_factory=dict)
    """Sums over all parts of a group that are needed before its parts can be merged: aggregates by the name of the column they become."""
    measures: Named = ()
    whole: tuple[str, ...] = ()
    """The aggregates that have no parts. If there are any, the rows are kept themselves."""

    grouped: Mapping[str, str] = field(default_factory=dict)
    """The names of the keys that are columns of the rows, by these."""

    @classmethod
    def of(cls, measures: Named, keys: Named) -> Parts:
        found = cls(grouped={e.name: name for name, e in keys if isinstance(e, ColumnRef)})
        aggregates = [e for _, m in measures for e in m.walk() if isinstance(e, Aggregate)]
        unmergeable = (
            _called(e) for e in aggregates if e.function not in _FORMS or (e.distinct and e.function not in _SAME_TWICE)
        )
        found.whole = tuple(dict.fromkeys(unmergeable))
        if not found.whole:
            found.measures = tuple((name, found._final(measure)) for name, measure in measures)
        return found

    def part(self, make: Expr, merge: Callable[[ColumnRef], Expr]) -> ColumnRef:
        """A part as a column; the same part again is the same column."""
        for known in self.parts.values():
            if known.make == make and known.merge == merge(column(known.name, make.type)):
                return column(known.name, make.type)
        kept = column(f"#:part {len(self.parts)}", make.type)
        self.parts[kept.name] = Part(kept.name, make, merge(kept))
        return kept

    @property
    def sketched(self) -> bool:
        """Whether some of them are sketches."""
        return any(isinstance(part.make, Call) and part.make.function in MAKING for part in self.parts.values())

    def makes(self) -> Named:
        return tuple((part.name, part.make) for part in self.parts.values())

    def merged(self, below: Relation, keys: Named, more: Named = ()) -> Relation:
        """Parts of the same group put together, each again a part."""
        by = tuple(e for _, e in keys)
        if self.totals:
            below = with_columns(below, {name: _over(total, by) for name, total in self.totals.items()})
        return grouped_by(below, keys, (*((part.name, part.merge) for part in self.parts.values()), *more))

    def total(self, value: Expr) -> ColumnRef:
        of = column(f"#:total {len(self.totals)}", value.type)
        self.totals[of.name] = value
        return of

    def _final(self, measure: Expr) -> Expr:
        """A measure with its aggregates replaced by what comes of their parts. (Not by `map`, which would go into aggregates.)"""
        if isinstance(measure, Aggregate):
            return _FORMS[measure.function](self, replace(measure, distinct=False))
        if isinstance(measure, Call):
            return replace(measure, args=tuple(map(self._final, measure.args)))
        if isinstance(measure, Cast):
            return replace(measure, value=self._final(measure.value))
        if isinstance(measure, Case):
            branches = tuple((self._final(when), self._final(then)) for when, then in measure.branches)
            return replace(measure, branches=branches, otherwise=self._final(measure.otherwise))
        if isinstance(measure, ColumnRef):
            return column(self.grouped[measure.name], measure.type)
        return measure


_Form = Callable[[Parts, Aggregate], Expr]

#: Aggregates to which a value that comes twice is the same as one that comes once.
_SAME_TWICE = ("min", "max", "any_value", "bool_and", "bool_or")


def _over(total: Expr, by: tuple[Expr, ...]) -> Expr:
    """The same of all rows of a group, beside each of them."""
    return total.map(lambda e: Window(e.type, e, by) if isinstance(e, Aggregate) else e)


def _called(e: Aggregate) -> str:
    return f"{e.function}(distinct ...)" if e.distinct else e.function


def _again(function: str, kind: DataType | None = None) -> Callable[[ColumnRef], Expr]:
    return lambda part: Aggregate(kind or part.type, function, (part,))


def _itself(parts: Parts, e: Aggregate) -> Expr:
    """Such as the greatest of the greatest."""
    return parts.part(e, _again(e.function))


def _counted(parts: Parts, e: Aggregate) -> Expr:
    return parts.part(e, _again("sum"))


def _sum(parts: Parts, e: Aggregate) -> Expr:
    """Integers are added in 128 bits: parts may leave the range in which their sum lies."""
    wide = replace(e, type=Integer(128)) if isinstance(e.type, Integer) else e
    kept = parts.part(wide, _again("sum"))
    return Cast(e.type, kept) if isinstance(e.type, Integer) else kept


def _avg(parts: Parts, e: Aggregate) -> Expr:
    kind = e.args[0].type
    exact: DataType = (
        Decimal(38, kind.scale) if isinstance(kind, Decimal) else Integer(128) if isinstance(kind, Integer) else _DOUBLE
    )
    total = _sum(parts, replace(e, function="sum", type=exact))
    return _quotient(Cast(_DOUBLE, total), Cast(_DOUBLE, _how_many(parts, e)))


def _how_many(parts: Parts, e: Aggregate) -> Expr:
    return parts.part(replace(e, function="count", type=_COUNT, args=e.args[:1]), _again("sum"))


def _variance(share: Callable[[Expr], Expr], around: Callable[[Expr], Expr]) -> _Form:
    def form(parts: Parts, e: Aggregate) -> Expr:
        count = replace(e, function="count", type=_COUNT)
        n = parts.part(count, _again("sum"))
        mean = parts.part(replace(e, function="avg", type=_DOUBLE), lambda part: _mean(part, n))
        overall = parts.total(_mean(mean, n))
        squares = _times(replace(e, function="var_pop", type=_DOUBLE), Cast(_DOUBLE, count))
        apart = Call(_DOUBLE, "subtract", (mean, overall))
        m2 = parts.part(squares, lambda part: _added(part, _times(_times(apart, apart), Cast(_DOUBLE, n))))
        return around(_quotient(m2, share(Cast(_DOUBLE, n))))

    return form


def _sketched(parts: Parts, e: Aggregate) -> Expr:
    sketch = SKETCHES_OF[e.function](e)
    return sketch.read(parts.part(sketch.make, sketch.merge))


def _mean(mean: Expr, n: Expr) -> Expr:
    weighted = Aggregate(_DOUBLE, "sum", (_times(mean, Cast(_DOUBLE, n)),))
    return _quotient(weighted, Cast(_DOUBLE, Aggregate(_COUNT, "sum", (n,))))


def _added(part: Expr, more: Expr) -> Expr:
    return Aggregate(_DOUBLE, "sum", (Call(_DOUBLE, "add", (part, more)),))


def _quotient(left: Expr, right: Expr) -> Expr:
    """Null over zero, and for a number of degrees of freedom below."""
    return Case(
        _DOUBLE,
        ((test("greater", right, constant(0.0, _DOUBLE)), Call(_DOUBLE, "divide", (left, right))),),
        constant(None, _DOUBLE),
    )


def _times(left: Expr, right: Expr) -> Expr:
    return Call(_DOUBLE, "multiply", (left, right))


def _less_one(n: Expr) -> Expr:
    return Call(_DOUBLE, "subtract", (n, constant(1.0, _DOUBLE)))


def _root(value: Expr) -> Expr:
    return Call(_DOUBLE, "sqrt", (value,))


def _as_it_is(value: Expr) -> Expr:
    return value


def _at_an_end(parts: Parts, e: Aggregate) -> Expr:
    """The first or the last in an order: what it is ordered by is kept beside it, and that there was a row, because nulls count."""
    there = parts.part(replace(e, function="count", type=_COUNT, args=(), order_by=()), _again("sum"))
    some = test("greater", there, number(0))
    first = len(parts.parts)
    kept = [column(f"#:part {first + i}", key.expression.type) for i, key in enumerate(e.order_by)]
    order = tuple(replace(key, expression=by) for key, by in zip(e.order_by, kept, strict=True))

    def end(part: ColumnRef) -> Expr:
        return Aggregate(part.type, e.function, (part,), where=some, order_by=order)

    for key, by in zip(e.order_by, kept, strict=True):
        parts.parts[by.name] = Part(by.name, replace(e, type=by.type, args=(key.expression,)), end(by))
    return parts.part(e, end)


def _by(function: str) -> _Form:
    extreme = {"arg_min": "min", "arg_max": "max"}[function]

    def form(parts: Parts, e: Aggregate) -> Expr:
        value, by = e.args
        both = test("and", negate(is_null(value)), negate(is_null(by)))
        where = both if e.where is None else test("and", e.where, both)
        kept = parts.part(Aggregate(by.type, extreme, (by,), where=where), _again(extreme))
        return parts.part(e, lambda part: Aggregate(part.type, function, (part, kept)))

    return form


_FORMS: Mapping[str, _Form] = {
    "count": _counted, "count_if": _counted, "sum": _sum, "avg": _avg,
    "min": _itself, "max": _itself, "any_value": _itself, "bool_and": _itself, "bool_or": _itself,
    "var_pop": _variance(_as_it_is, _as_it_is), "variance": _variance(_less_one, _as_it_is),
    "stddev_pop": _variance(_as_it_is, _root), "stddev": _variance(_less_one, _root),
    **dict.fromkeys(SKETCHES_OF, _sketched),
    "first": _at_an_end, "last": _at_an_end, "arg_min": _by("arg_min"), "arg_max": _by("arg_max"),
}  # fmt: skip
