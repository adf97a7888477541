"""Changing bound expressions from the top down, and looking into the subqueries they hold. Not any particular change."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from typing import Any

from headrace.business.processing.expressions.ir import Aggregate, ColumnRef, Expr, Window
from headrace.business.processing.tree import Part, Relation, expressions

Change = Callable[[Expr], Expr | None]


def rewrite(expression: Expr, change: Change) -> Expr:
    """Each topmost node that `change` answers for becomes the answer. Relations of subqueries stay as they are."""
    answer = change(expression)
    return answer if answer is not None else rewrite_below(expression, change)


def rewrite_below(expression: Expr, change: Change) -> Expr:
    """The same for everything inside of an expression, which itself stays."""
    changed = {}
    for field in fields(expression):
        value = getattr(expression, field.name)
        new = _rewritten(value, change)
        if new is not value:
            changed[field.name] = new
    return replace(expression, **changed) if changed else expression


def _rewritten(value: Any, change: Change) -> Any:
    if isinstance(value, Expr):
        return rewrite(value, change)
    if isinstance(value, Part):
        return replace(value, **{f.name: _rewritten(getattr(value, f.name), change) for f in fields(value)})
    if isinstance(value, tuple):
        return tuple(_rewritten(item, change) for item in value)
    return value


def outer_columns(relation: Relation) -> Iterator[str]:
    """The columns of the queries around it that a relation reads, at any depth."""
    for node in relation.walk():
        for expression in expressions(node):
            yield from _outer_columns(expression)


def outer_columns_of_subqueries(expression: Expr) -> Iterator[str]:
    for node in expression.walk():
        for relation in node.relations():
            yield from outer_columns(relation)


def rewrite_window(window: Window, change: Change) -> Expr:
    """The same for everything inside of a window. Its call stays a call of that window, even where it is an aggregate."""
    return rewrite_below(window, lambda inner: rewrite_below(inner, change) if inner is window.call else rewrite(inner, change))


def aggregates(expression: Expr) -> Iterator[Aggregate]:
    """The aggregates over groups in an expression: not the calls of windows, but those inside of their arguments."""
    if isinstance(expression, Aggregate):
        yield expression
    else:
        for part in _below_window(expression):
            yield from aggregates(part)


def windows(expression: Expr) -> Iterator[Window]:
    """The outermost windows of an expression."""
    if isinstance(expression, Window):
        yield expression
    else:
        for child in expression.children():
            yield from windows(child)


def _below_window(expression: Expr) -> Iterator[Expr]:
    for child in expression.children():
        if isinstance(expression, Window) and child is expression.call:
            yield from child.children()
        else:
            yield child


def _outer_columns(expression: Expr) -> Iterator[str]:
    for node in expression.walk():
        if isinstance(node, ColumnRef) and node.outer:
            yield node.name
        for relation in node.relations():
            yield from outer_columns(relation)
