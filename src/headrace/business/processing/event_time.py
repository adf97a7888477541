"""Which columns of a relation say when its rows happened, so that a stream can tell what is over. Not how late rows may come."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from headrace.business.processing.expressions.ir import ColumnRef, Expr
from headrace.business.processing.relation import Dataset, GroupBy, Join, Project, Relation, SetOperation
from headrace.business.processing.stateful import Groups, Pairs, Sequences, Span, Stateful

T = TypeVar("T")


def event_time(relation: Relation) -> str | None:
    """The column that is meant where no other is said: that of the source's watermark. None where there is none, or several that
    differ, such as the bounds of windows. Of several inputs the first one counts."""
    if isinstance(relation, Stateful) and isinstance(relation.meaning, Groups):
        span = relation.meaning.window
        return span.end if span is not None and span.kind == "moment" else None
    if isinstance(relation, Stateful) and isinstance(relation.meaning, Pairs):
        pairs = relation.meaning
        found = passed_on(pairs.whole, lambda side: dict.fromkeys(_main_time(pairs, side), True))
    elif isinstance(relation, Stateful) and isinstance(relation.meaning, Sequences):
        return next(iter(event_times(relation)), None)
    else:
        found = passed_on(relation, lambda dataset: {dataset.time: True} if dataset.time else {})
    return next(iter(found), None)


def event_times(relation: Relation) -> tuple[str, ...]:
    """All columns by which rows can be told to be over."""
    if isinstance(relation, Stateful) and isinstance(relation.meaning, Groups):
        return () if relation.meaning.window is None else times_of_windows(relation.meaning.window)
    if isinstance(relation, Stateful) and isinstance(relation.meaning, Pairs):
        pairs = relation.meaning
        found = passed_on(pairs.whole, lambda dataset: dict.fromkeys(times_of_pairs(pairs, dataset), True))
    elif isinstance(relation, Stateful) and isinstance(relation.meaning, Sequences):
        time = relation.meaning.time
        found = passed_on(relation.meaning.whole, lambda _: {time: True})
    else:
        found = passed_on(relation, lambda dataset: dict.fromkeys(dataset.times, True))
    return tuple(found)


def times_of_windows(span: Span) -> tuple[str, ...]:
    """The bounds that are known when a window closes. How long ago a session began, nobody knows before."""
    return (span.end,) if span.kind in ("session", "moment") else (span.end, span.start)


def times_of_pairs(pairs: Pairs, dataset: Dataset) -> tuple[str, ...]:
    """Of the columns of one side those that say when a pair is given out. Nothing says so of the time of a row whose partners may be as
    far away as the row itself says; but the end of that time does."""
    reach = pairs.reach_of(dataset)
    if reach is None:
        return ()
    known = (reach.time if reach.beyond is not None else None, reach.column)
    return tuple(dict.fromkeys(name for name in known if name is not None))


def _main_time(pairs: Pairs, side: Dataset) -> tuple[str, ...]:
    reach = pairs.reach_of(side)
    return () if reach is None or reach.beyond is None else (reach.time,)


def passed_on(relation: Relation, known: Callable[[Dataset], Mapping[str, T]]) -> Mapping[str, T]:
    """What is known of columns of the datasets below, for those columns of the relation that are the same."""
    match relation:
        case Dataset():
            return known(relation)
        case Project():
            return _renamed(relation.columns, passed_on(relation.input, known))
        case GroupBy():
            return _renamed(relation.keys, passed_on(relation.input, known))
        case Join():
            both = {**passed_on(relation.right, known), **passed_on(relation.left, known)}
            return {name: both[name] for name in (*relation.left.schema.names, *relation.right.schema.names) if name in both}
        case SetOperation():
            first, *others = (passed_on(part, known) for part in relation.parts)
            return {name: value for name, value in first.items() if all(other.get(name) == value for other in others)}
        case _:
            below = passed_on(relation.inputs[0], known) if relation.inputs else {}
            return {name: value for name, value in below.items() if name in relation.schema}


def _renamed(columns: tuple[tuple[str, Expr], ...], below: Mapping[str, T]) -> Mapping[str, T]:
    return {n: below[e.name] for n, e in columns if isinstance(e, ColumnRef) and not e.outer and e.name in below}
