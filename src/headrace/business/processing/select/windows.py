"""Windows: the named ones of a `WINDOW` clause, and rows with their windows computed, for `QUALIFY` and `DISTINCT ON`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from headrace.business.model.schema import did_you_mean
from headrace.business.model.types import Integer
from headrace.business.processing.expressions.faults import ExpressionError
from headrace.business.processing.expressions.ir import Call, ColumnRef, Expr, SortKey, Window
from headrace.business.processing.expressions.syntax import start_of
from headrace.business.processing.relation import Relation
from headrace.business.processing.select.grammar import directly_in, understood
from headrace.business.processing.select.projection import projected
from headrace.business.processing.select.rewriting import rewrite, windows
from headrace.business.processing.select.scope import QueryScope

if TYPE_CHECKING:
    from sqlglot import exp

_PARTS = {"partition_by": "PARTITION BY", "order": "ORDER BY", "spec": "frame"}


def write_out_windows(select: exp.Expression, text: str) -> None:
    """Give every window of the query all that its named window says, so that nothing is left to look up."""
    from sqlglot import exp

    known: dict[str, exp.Expression] = {}
    for window in select.args.get("windows") or []:
        understood(text, window, "this", "alias", *_PARTS)
        if window.name.lower() in known:
            raise ExpressionError(f"two windows are called `{window.name}`", start_of(window.this))
        _fill(window, known)
        known[window.name.lower()] = window
    for window in list(select.find_all(exp.Window)):
        if window.args.get("over") and directly_in(window, select):
            _fill(window, known)


def _fill(window: exp.Expression, known: dict[str, exp.Expression]) -> None:
    name = window.args.get("alias")
    if name is None:
        return
    base = known.get(name.name.lower())
    if base is None:
        hint = did_you_mean(name.name, known) if known else "define it: `WINDOW w AS (PARTITION BY ...)`"
        raise ExpressionError(f"there is no window `{name.name}`", start_of(name), hint)
    for part, words in _PARTS.items():
        value = base.args.get(part)
        if not value:
            continue
        if window.args.get(part):
            raise ExpressionError(f"the window `{name.name}` has its {words} already", start_of(name))
        window.set(part, [v.copy() for v in value] if isinstance(value, list) else value.copy())
    window.set("alias", None)


def with_windows(relation: Relation, phrases: Sequence[Expr], scope: QueryScope) -> tuple[Relation, Callable[[Expr], Expr]]:
    """The relation with a column for each window of the phrases, and how to read them there."""
    known: dict[Expr, ColumnRef] = {}
    for phrase in phrases:
        for window in windows(phrase):
            if window not in known:
                known[window] = ColumnRef(window.type, scope.names.fresh("window"))
    if not known:
        return relation, lambda expression: expression
    passed: list[tuple[str, Expr]] = [(c.name, ColumnRef(c.type, c.name)) for c in relation.schema]
    columns = [*passed, *((column.name, window) for window, column in known.items())]
    return projected(relation, columns), lambda expression: rewrite(expression, known.get)


def row_number(partition_by: Sequence[Expr], order_by: Sequence[SortKey]) -> Window:
    """The number of a row among those with equal values."""
    return Window(Integer(64), Call(Integer(64), "row_number"), tuple(partition_by), tuple(order_by))
