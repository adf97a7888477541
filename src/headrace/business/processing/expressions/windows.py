"""Expressions in which aggregates and ranking functions share one window that stands outside of the text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from headrace.business.model.schema import Schema
from headrace.business.processing.expressions import catalog
from headrace.business.processing.expressions.bind import Binder
from headrace.business.processing.expressions.faults import BindError
from headrace.business.processing.expressions.ir import Expr, SortKey
from headrace.business.processing.expressions.parse import Columns
from headrace.business.processing.expressions.syntax import read_syntax

if TYPE_CHECKING:
    from sqlglot import exp

Rows = tuple[int | None, int | None]


def parse_windows(
    text: str, schema: Schema, partition_by: Sequence[str], order_by: Sequence[SortKey], rows: Rows | None
) -> Expr:
    """The typed expression of a text; calls without `over (...)` get the window of these columns (the order is by bare columns
    too). Raises `ExpressionError`."""
    over = read_syntax(f"count(*) over ({_window(partition_by, order_by, rows)})")
    tree = read_syntax(text)
    binder = Binder(Columns(schema), text, aggregates=False, windows=True)
    return binder.bind(_over(tree, over))


def _over(node: exp.Expression, over: exp.Expression) -> exp.Expression:
    """The tree with the window put around every call that looks at other rows and has none."""
    if node.key == "window":
        return node
    if _looks_around(node):
        wrapped = over.copy()
        wrapped.set("this", node.copy())
        return wrapped
    for key, value in list(node.args.items()):
        if isinstance(value, list):
            node.set(key, [_over(item, over) if hasattr(item, "args") else item for item in value])
        elif hasattr(value, "args"):
            node.set(key, _over(value, over))
    return node


def _looks_around(node: exp.Expression) -> bool:
    call = node.this if node.key == "filter" else node
    if call.key != "anonymous":
        return False
    try:
        return catalog.function(str(call.this)).kind in ("aggregate", "window")
    except BindError:
        return False  # the binder says what is wrong with it


def _window(partition_by: Sequence[str], order_by: Sequence[SortKey], rows: Rows | None) -> str:
    parts = []
    if partition_by:
        parts.append(f"partition by {', '.join(map(_quoted, partition_by))}")
    if order_by:
        parts.append(f"order by {', '.join(map(_key, order_by))}")
    if rows is not None:
        first = "unbounded preceding" if rows[0] is None else _bound(rows[0])
        last = "unbounded following" if rows[1] is None else _bound(rows[1])
        parts.append(f"rows between {first} and {last}")
    return " ".join(parts)


def _key(key: SortKey) -> str:
    way = "desc" if key.descending else "asc"
    return f"{_quoted(key.expression.reads() or '')} {way} nulls {'first' if key.nulls_first else 'last'}"


def _bound(distance: int) -> str:
    if distance == 0:
        return "current row"
    return f"{abs(distance)} {'preceding' if distance < 0 else 'following'}"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
