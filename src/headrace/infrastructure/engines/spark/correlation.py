"""Queries inside of expressions that Spark refuses once it sees them, or answers wrongly: its rules for columns of a query around, and for
where a query may stand at all (Spark 4, `ValidateSubqueryExpression`).
"""

from __future__ import annotations

from collections.abc import Iterator

from headrace.business.processing.expressions.build import conjuncts
from headrace.business.processing.expressions.ir import Aggregate, Call, ColumnRef, Expr, Subquery, Window
from headrace.business.processing.relation import (
    Dedupe,
    Distinct,
    Filter,
    GroupBy,
    Join,
    Limit,
    Project,
    Relation,
    SetOperation,
    Sort,
    expressions,
    subqueries,
)

_FAR = "Spark finds a column of a query around only from the query right inside of it; join what lies between, or take its columns along"
_OPTIONAL = (
    "Spark takes no column of a query around into the side of an outer join that may be missing; join outside of that query"
)
_COMPUTED = (
    "Spark takes no column of a query around into groups, aggregates, windows and orders; compute with it outside of that query"
)
_TESTED = "Spark does not ask of a column of a query around whether it is IN a further query; join with that one instead"
_SORTED = "Spark does not order by what a query inside gives; make it a column first"
_GROUPED = "Spark groups and aggregates nothing by a query about the row within another such query; make it a column first"
_BOTH_SIDES = (
    "Spark takes a query inside of a join's condition only about columns of one side; put it into a filter behind the join"
)
_SINGLE_VALUE = "Spark takes no single value of a query about the row into a join's condition; make it a column first"
_AMONG_OTHERS = (
    "Spark answers IN with a query wrongly inside of a join's condition, unless it stands alone or behind AND; filter instead"
)


def outer_columns(relation: Relation) -> frozenset[str]:
    """The columns of queries around that a relation reads, at any depth."""
    found: set[str] = set()
    for node in relation.walk():
        found |= _own_outer_columns(node)
        for query in subqueries(node):
            found |= outer_columns(query) - _names(*node.inputs)
    return frozenset(found)


def subquery_problems(node: Relation) -> Iterator[str]:
    """Why Spark cannot carry out the queries inside of the expressions of one node."""
    for query in subqueries(node):
        if outer_columns(query) - _names(*node.inputs):
            yield _FAR
        if outer_columns(query):
            yield from _misplaced(query)
    for expression in expressions(node):
        for part in expression.walk():
            if isinstance(part, Subquery):
                yield from _of_test(node, part)
    if isinstance(node, Join) and node.condition is not None:
        alone = [test for part in conjuncts(node.condition) for test in (part, *_denied(part)) if isinstance(test, Subquery)]
        tests = [e for e in node.condition.walk() if isinstance(e, Subquery) and e.kind == "in"]
        if any(all(test is not other for other in alone) for test in tests):
            yield _AMONG_OTHERS


def _of_test(node: Relation, test: Subquery) -> Iterator[str]:
    about_the_row = outer_columns(test.relation)
    single = test.kind == "scalar"
    if test.value is not None and any(isinstance(e, ColumnRef) and e.outer for e in test.value.walk()):
        yield _TESTED
    match node:
        case Sort() | Dedupe() if about_the_row or not single:
            yield _SORTED
        case Join() if single and about_the_row:
            yield _SINGLE_VALUE
        case Join():
            read = about_the_row | (test.value.columns() if test.value is not None else frozenset())
            if not any(read <= _names(side) for side in node.inputs):
                yield _BOTH_SIDES


def _misplaced(query: Relation, reachable: bool = True) -> Iterator[str]:
    """Of a query about the row: columns of the one around, where Spark does not bring them, and groups that are about rows themselves."""
    if isinstance(query, GroupBy) and any(map(outer_columns, subqueries(query))):
        yield _GROUPED
    if _own_outer_columns(query):
        if not reachable:
            yield _OPTIONAL
        if isinstance(query, GroupBy | Sort | Dedupe) or _in_windows(query):
            yield _COMPUTED
    for below, reached in zip(query.inputs, _reaches(query), strict=True):
        yield from _misplaced(below, reachable and reached)


def _reaches(node: Relation) -> tuple[bool, ...]:
    """Into which of its inputs Spark brings columns of a query around."""
    match node:
        case Join():
            return node.how in ("inner", "cross", "left", "semi", "anti"), node.how in ("inner", "cross", "right")
        case Project() | Filter() | GroupBy() | Sort() | Limit() | Distinct() | SetOperation():
            return (True,) * len(node.inputs)
        case _:
            return (False,) * len(node.inputs)


def _own_outer_columns(node: Relation) -> set[str]:
    return {e.name for expression in expressions(node) for e in expression.walk() if isinstance(e, ColumnRef) and e.outer}


def _in_windows(node: Relation) -> bool:
    windows = [e for expression in expressions(node) for e in expression.walk() if isinstance(e, Window | Aggregate)]
    return any(isinstance(e, ColumnRef) and e.outer for window in windows for e in window.walk())


def _names(*relations: Relation) -> frozenset[str]:
    return frozenset(name for relation in relations for name in relation.schema.names)


def _denied(condition: Expr) -> tuple[Expr, ...]:
    return condition.args if isinstance(condition, Call) and condition.function == "not" else ()
