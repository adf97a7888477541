"""Which columns of each source anything downstream needs, so that no other column is kept. It changes no result."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from headrace.business.model.schema import Schema
from headrace.business.processing.expressions.ir import ColumnRef
from headrace.business.processing.plan import PlannedCheck, PlannedSink, PlannedStep
from headrace.business.processing.relation import (
    Dataset,
    Dedupe,
    Filter,
    GroupBy,
    Join,
    Project,
    Relation,
    Sort,
    expressions,
    subqueries,
)

Wanted = frozenset[str]
Needs = dict[str, Wanted]


def needed_columns(
    steps: Sequence[PlannedStep],
    checks: Sequence[PlannedCheck],
    sinks: Sequence[PlannedSink],
    last: str | None,
    schemas: Mapping[str, Schema],
) -> Needs:
    """For each dataset the columns that a step, a check or a sink reads."""
    needs: Needs = {}
    for name in {sink.dataset for sink in sinks} or ({last} if last else set()):
        _add(needs, name, frozenset(schemas[name].names))
    for check in checks:
        _add(needs, check.dataset, frozenset(c for e in check.measures.values() for c in e.columns()))
        if check.other is not None:
            _add(needs, check.other, frozenset(c for e in check.other_measures.values() for c in e.columns()))
    for step in reversed(steps):
        for name, wanted in _needs(step.relation, needs.get(step.name, frozenset())):
            _add(needs, name, wanted)
    return needs


def _add(needs: Needs, name: str, wanted: Wanted) -> None:
    needs[name] = needs.get(name, frozenset()) | wanted


def _needs(relation: Relation, wanted: Wanted) -> Iterator[tuple[str, Wanted]]:
    """What a tree needs of the datasets at its leaves, so that it can give the wanted columns."""
    inner = list(subqueries(relation))
    for below in inner:
        yield from _needs(below, frozenset(below.schema.names))
    if isinstance(relation, Dataset):
        yield relation.name, wanted & frozenset(relation.schema.names)
        return
    correlated = frozenset(name for below in inner for name in _outer_names(below))
    for child in relation.inputs:
        yield from _needs(child, _wanted_below(relation, child, wanted) | (correlated & frozenset(child.schema.names)))


def _wanted_below(relation: Relation, child: Relation, wanted: Wanted) -> Wanted:
    available = frozenset(child.schema.names)
    match relation:
        case Project():
            # All of them, wanted or not: the statement that is printed names them.
            return frozenset(c for e in expressions(relation) for c in e.columns())
        case GroupBy():
            return frozenset(c for e in expressions(relation) for c in e.columns())
        case Filter() | Sort() | Join() | Dedupe():
            own = frozenset(c for e in expressions(relation) for c in e.columns())
            key = frozenset(relation.key) if isinstance(relation, Dedupe) else frozenset()
            return (wanted | own | key) & available
        case _:
            return available


def _outer_names(relation: Relation) -> Iterator[str]:
    for node in relation.walk():
        for expression in expressions(node):
            yield from (e.name for e in expression.walk() if isinstance(e, ColumnRef) and e.outer)
        for below in subqueries(node):
            yield from _outer_names(below)
