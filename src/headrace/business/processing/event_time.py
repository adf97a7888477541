"""Which columns of a relation say when its rows happened, as far as they are passed on as they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from headrace.business.processing.expressions.ir import ColumnRef, Expr
from headrace.business.processing.relation import Dataset, GroupBy, Join, Project, Relation, SetOperation
from headrace.business.processing.stateful import Groups, Stateful

T = TypeVar("T")


def event_time(relation: Relation) -> str | None:
    """The column that has the time of the source's watermark; None where there is none. Of several inputs the first one counts."""
    found = passed_on(relation, lambda dataset: {dataset.time: True} if dataset.time else {})
    return next(iter(found), None)


def passed_on(relation: Relation, known: Callable[[Dataset], Mapping[str, T]]) -> Mapping[str, T]:
    """What is known of columns of the datasets below, for those columns of the relation that are the same."""
    match relation:
        case Dataset():
            return known(relation)
        case Stateful(meaning=Groups()):
            return {}
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
