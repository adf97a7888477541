"""Folds the nodes of a relation into as few SELECTs as say the same. Not their text (see `relations`).

Each node of a tree could be a SELECT of its own around the one below. A reader wants what a person would have written: one
SELECT with its WHERE, ORDER BY and LIMIT. A clause joins the block below only where that changes nothing: SQL evaluates
FROM, WHERE, GROUP BY, HAVING, SELECT, DISTINCT, ORDER BY and LIMIT in this order, whatever the order in the tree.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from headrace.business.processing.expressions.ir import Aggregate, ColumnRef, Constant, Expr, SortKey, Subquery, Window
from headrace.business.processing.relation import (
    Dataset,
    Distinct,
    Filter,
    GroupBy,
    Limit,
    Project,
    Relation,
    Sample,
    Sort,
)
from headrace.business.processing.stateful import Stateful
from headrace.infrastructure.engines.sql.block import Block, Columns, SourceColumn, captures, is_column


def fold(relation: Relation, orders: Mapping[str, Sequence[SortKey]]) -> Block:
    """The outermost SELECT of a relation. `orders` tells how the rows of a dataset are meant to be ordered."""
    add = _CLAUSES.get(type(relation))
    if isinstance(relation, Dataset):
        return Block(relation, order=tuple(orders.get(relation.name, ())))
    if add is None or (isinstance(relation, Sample) and relation.drawn is None):
        return Block(relation)
    (below,) = relation.inputs
    merged = add(fold(below, orders), relation)
    if merged is None or captures(merged):
        merged = add(Block(below), relation)
    return merged or Block(relation)


def _filter(below: Block, node: Filter) -> Block | None:
    return _where(below, node.condition)


def _sample(below: Block, node: Sample) -> Block | None:
    return None if node.drawn is None else _where(below, node.drawn)


def _where(below: Block, condition: Expr) -> Block | None:
    if below.limit or below.distinct or any(_has(Window, e) for _, e in below.columns or ()):
        return None
    inlined = _inline(below, condition, aggregates=below.keys is not None)
    if inlined is None:
        return None
    if below.keys is not None:
        return replace(below, having=(*below.having, inlined))
    return replace(below, where=(*below.where, inlined))


def _project(below: Block, node: Project) -> Block | None:
    if below.distinct or ((below.limit or below.keys is not None) and any(_has(Window, e) for _, e in node.columns)):
        return None
    if below.keys is not None and not _fits_groups(below, node):
        return None
    columns: list[tuple[str, Expr]] = []
    for name, expression in node.columns:
        if isinstance(expression, ColumnRef) and not expression.outer:
            inlined = below.result(expression.name)
        else:
            inlined = _inline(below, expression, aggregates=below.keys is not None)
        if inlined is None:
            return None
        columns.append((name, inlined))
    order = _order_above(below, node.columns)
    return None if order is None else replace(below, columns=tuple(columns), order=order)


def _fits_groups(below: Block, node: Project) -> bool:
    """Whether engines take a projection beside the groups of a block: not where it reads a column of a query around, nor where it
    drops a key that a query inside gives."""
    read = {name for _, e in node.columns for name in e.columns()}
    dropped = [e for name, e in below.columns or () if name not in read]
    return not any(_looks_around(e) for _, e in node.columns) and not any(_has(Subquery, e) for e in dropped)


def _order_above(below: Block, columns: Columns) -> tuple[SortKey, ...] | None:
    """The order of a block in terms of a projection above it."""
    renamed = {e.name: name for name, e in reversed(columns) if isinstance(e, ColumnRef) and not e.outer}
    renamed |= {name: name for name, e in columns if is_column(e, name)}
    taken = {name for name, _ in columns}
    keys: list[SortKey] = []
    for key in below.order:
        if not isinstance(key.expression, ColumnRef):
            keys.append(key)
            continue
        name = key.expression.name
        meaning = below.result(name)
        if meaning is not None and name in renamed:
            keys.append(replace(key, expression=replace(key.expression, name=renamed[name])))
            continue
        hidden = key.expression if meaning is None else meaning
        if _has(Window, hidden) or _has(Subquery, hidden) or _looks_around(hidden):
            return None
        if isinstance(hidden, ColumnRef) and hidden.name in taken:
            hidden = SourceColumn(hidden.type, hidden.name)
        if not isinstance(hidden, Constant):
            keys.append(replace(key, expression=hidden))
    return tuple(keys)


def _group(below: Block, node: GroupBy) -> Block | None:
    if below.limit or below.distinct or below.keys is not None:
        return None
    columns = [(name, _inline(below, e)) for name, e in (*node.keys, *node.measures)]
    inlined = tuple((name, e) for name, e in columns if e is not None)
    if len(inlined) < len(columns):
        return None
    keys = tuple(e for _, e in inlined[: len(node.keys)])
    return replace(below, columns=inlined, keys=keys, order=())


def _distinct(below: Block, _: Distinct) -> Block | None:
    return None if below.limit else replace(below, distinct=True, order=())


def _sort(below: Block, node: Sort) -> Block | None:
    if below.limit:
        return None
    keys: list[SortKey] = []
    for key in node.keys:
        expression: Expr | None = key.expression
        if not isinstance(expression, ColumnRef):
            plain = below.keys is None and not below.distinct
            expression = _inline(below, key.expression) if plain else None
        if expression is None:
            return None
        if isinstance(expression, Constant):
            continue  # it orders nothing, and a bare number would mean a column's position
        keys.append(replace(key, expression=expression))
    return replace(below, order=tuple(keys))


def _limit(below: Block, node: Limit) -> Block | None:
    return None if below.limit else replace(below, limit=node)


def _inline(below: Block, expression: Expr, *, aggregates: bool = False) -> Expr | None:
    """An expression over the result of a block, said in columns of its source; None where that would compute anything twice
    or at another time, or in groups of a query around. With `aggregates`, those of the block may be put in."""
    if below.columns is None:
        return expression
    if any(True for node in expression.walk() for _ in node.relations()):
        return None  # a subquery may name the columns around it
    meanings = below.meanings
    allowed = (ColumnRef, Constant, Aggregate) if aggregates else (ColumnRef, Constant)
    if not all(isinstance(e := meanings.get(name), allowed) and not _looks_around(e) for name in expression.columns()):
        return None
    return expression.map(lambda e: meanings[e.name] if isinstance(e, ColumnRef) and not e.outer else e)


def _looks_around(expression: Expr) -> bool:
    """Whether it reads a column of a query around."""
    return any(isinstance(node, ColumnRef) and node.outer for node in expression.walk())


def _has(kind: type[Expr], expression: Expr) -> bool:
    return any(isinstance(node, kind) for node in expression.walk())


_CLAUSES: Mapping[type[Relation], Callable[[Block, Any], Block | None]] = {
    Project: _project,
    Filter: _filter,
    Sample: _sample,
    GroupBy: _group,
    Distinct: _distinct,
    Sort: _sort,
    Limit: _limit,
    Stateful: lambda below, _: below,  # a batch has all rows at hand
}
