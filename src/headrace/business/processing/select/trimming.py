"""Leaving out columns that nothing above reads, so that a source is not asked for them. It changes no row of the result.

Subqueries, stars and columns with new names bring far more columns into a tree than a query uses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from headrace.business.model.schema import Schema
from headrace.business.processing.expressions.ir import ColumnRef, Expr, SortKey, Subquery
from headrace.business.processing.relation import (
    Distinct,
    Filter,
    GroupBy,
    Join,
    Limit,
    Project,
    Relation,
    SetOperation,
    Sort,
    columns_of,
)  # fmt: skip
from headrace.business.processing.select.projection import projected
from headrace.business.processing.select.rewriting import outer_columns, rewrite

Wanted = frozenset[str]


def trimmed(relation: Relation, wanted: Iterable[str] | None = None) -> Relation:
    """The relation with at least the wanted columns (all of them, unless said), without what they do not need."""
    names = frozenset(relation.schema.names)
    trim = _TRIMS.get(type(relation))
    return trim(relation, names if wanted is None else names & frozenset(wanted)) if trim is not None else relation


def _project(node: Project, wanted: Wanted) -> Relation:
    kept = [(name, _inside(e)) for name, e in node.columns if name in wanted] or [(n, _inside(e)) for n, e in node.columns[:1]]
    below = trimmed(node.input, _read(e for _, e in kept))
    return Project(_only(node.schema, (name for name, _ in kept)), below, tuple(kept))


def _filter(node: Filter, wanted: Wanted) -> Relation:
    condition = _inside(node.condition)
    below = trimmed(node.input, wanted | _read((condition,)))
    return Filter(below.schema, below, condition)


def _sort(node: Sort, wanted: Wanted) -> Relation:
    keys = tuple(SortKey(_inside(k.expression), k.descending, k.nulls_first) for k in node.keys)
    below = trimmed(node.input, wanted | _read(k.expression for k in keys))
    return Sort(below.schema, below, keys)


def _limit(node: Limit, wanted: Wanted) -> Relation:
    below = trimmed(node.input, wanted)
    return Limit(below.schema, below, node.count, node.offset)


def _distinct(node: Distinct, _: Wanted) -> Relation:
    """Which rows are different is a matter of all columns."""
    return Distinct(node.schema, projected(trimmed(node.input), _all(node.schema)))


def _group(node: GroupBy, wanted: Wanted) -> Relation:
    keys = tuple((name, _inside(e)) for name, e in node.keys)
    measures = tuple((name, _inside(e)) for name, e in node.measures if name in wanted)
    if not keys and not measures:
        measures = tuple((name, _inside(e)) for name, e in node.measures[:1])
    below = trimmed(node.input, _read(e for _, e in (*keys, *measures)))
    return GroupBy(columns_of((*keys, *measures), below.schema), below, keys, measures)


def _join(node: Join, wanted: Wanted) -> Relation:
    condition = _inside(node.condition) if node.condition is not None else None
    needed = wanted | (_read((condition,)) if condition is not None else frozenset())
    left, right = trimmed(node.left, needed), trimmed(node.right, needed)
    names = left.schema.names if node.how in ("semi", "anti") else (*left.schema.names, *right.schema.names)
    return replace(node, schema=_only(node.schema, names), left=left, right=right, condition=condition)


def _set_operation(node: SetOperation, wanted: Wanted) -> Relation:
    """The parts must stay alike, so each has exactly the same columns; rows are compared in all of them."""
    names = [name for name in node.schema.names if name in wanted] or list(node.schema.names[:1])
    schema = _only(node.schema, names) if node.kind == "union_all" else node.schema
    parts = tuple(projected(trimmed(part, schema.names), _all(_only(part.schema, schema.names))) for part in node.parts)
    return SetOperation(schema, parts, node.kind)


_TRIMS: Mapping[type[Relation], Callable[[Any, Wanted], Relation]] = {
    Project: _project, Filter: _filter, Sort: _sort, Limit: _limit, Distinct: _distinct, GroupBy: _group, Join: _join,
    SetOperation: _set_operation,
}  # fmt: skip


def _inside(expression: Expr) -> Expr:
    """The expression with its subqueries trimmed."""

    if not any(isinstance(part, Subquery) for part in expression.walk()):
        return expression

    def change(part: Expr) -> Expr | None:
        if not isinstance(part, Subquery):
            return None
        relation = trimmed(_some(part.relation), ()) if part.kind == "exists" else trimmed(part.relation)
        return replace(part, relation=relation, value=_inside(part.value) if part.value is not None else None)

    return rewrite(expression, change)


def _some(relation: Relation) -> Relation:
    """What has rows when the relation has: which columns they have, and in which order they come, says nothing about that."""
    while isinstance(relation, Project | Sort | Distinct):
        relation = relation.input
    return relation


def _read(expressions: Iterable[Expr]) -> Wanted:
    """The columns that expressions read of the rows that they stand on, in their subqueries too."""
    found: set[str] = set()
    for part in (part for expression in expressions for part in expression.walk()):
        if isinstance(part, ColumnRef) and not part.outer:
            found.add(part.name)
        elif isinstance(part, Subquery):
            found.update(outer_columns(part.relation))
    return frozenset(found)


def _only(schema: Schema, names: Iterable[str]) -> Schema:
    kept = frozenset(names)
    return Schema(tuple(column for column in schema if column.name in kept))


def _all(schema: Schema) -> list[tuple[str, Expr]]:
    return [(column.name, ColumnRef(column.type, column.name)) for column in schema]
