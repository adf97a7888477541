"""`ORDER BY`, `LIMIT` and `OFFSET`, as they are written. Not the columns that an order may need besides those of the result.

Nulls come last, in both directions, unless the text says otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from headrace.business.processing.expressions.faults import ExpressionError
from headrace.business.processing.expressions.ir import Constant, Expr, SortKey
from headrace.business.processing.expressions.syntax import start_of
from headrace.business.processing.relation import Limit, Relation
from headrace.business.processing.select.clause import Clause
from headrace.business.processing.select.grammar import refuse_part, understood
from headrace.business.processing.select.projection import Item

if TYPE_CHECKING:
    from sqlglot import exp

MODIFIERS = ("order", "limit", "offset")


@dataclass(frozen=True)
class Order:
    """One key of an order: the number of a column of the result, or an expression."""

    output: int | None
    expression: Expr
    node: exp.Expression
    descending: bool = False
    nulls_first: bool = False

    def key(self, expression: Expr) -> SortKey:
        return SortKey(expression, self.descending, self.nulls_first)


def bind_order(order: exp.Expression | None, items: Sequence[Item], clause: Clause) -> list[Order]:
    if order is None:
        return []
    understood(clause.text, order, "expressions")
    found: list[Order] = []
    for node in order.expressions:
        understood(clause.text, node, "this", "desc", "nulls_first")
        written = node.this
        flags = bool(node.args.get("desc")), bool(node.args.get("nulls_first"))
        if written.key == "var" and written.name.upper() == "ALL":
            found.extend(Order(i, item.expression, item.node, *flags) for i, item in enumerate(items))
        else:
            found.append(replace(bind_key(written, items, clause, "ORDER BY"), descending=flags[0], nulls_first=flags[1]))
    return found


def bind_key(node: exp.Expression, items: Sequence[Item], clause: Clause, where: str) -> Order:
    """A position in the result, a name of the result, or any expression over what is selected from."""
    number = ordinal(node, len(items), where)
    if number is None and node.key == "column" and not node.args.get("table"):
        named = [i for i, item in enumerate(items) if item.name and item.name.lower() == node.name.lower()]
        number = named[0] if named else None
    if number is not None:
        return Order(number, items[number].expression, node)
    expression = clause.bind(node)
    if isinstance(expression, Constant):
        hint = "names stand in double quotes, or in none" if node.key == "literal" else None
        raise ExpressionError(f"`{where}` a constant says nothing", start_of(node), hint)
    same = [i for i, item in enumerate(items) if item.expression == expression]
    return Order(same[0] if same else None, expression, node)


def ordinal(node: exp.Expression, count: int, where: str) -> int | None:
    """The place in the select list, from 0, that a bare number stands for; None if it is none."""
    if node.key == "neg" and node.this.key == "literal":
        raise ExpressionError(f"a number in `{where}` is a position in the select list", start_of(node), f"use 1 to {count}")
    if node.key != "literal" or node.is_string:
        return None
    if not str(node.name).isdigit() or not 1 <= int(node.name) <= count:
        raise ExpressionError(f"there is no column {node.name} to use in `{where}`", start_of(node), f"use 1 to {count}")
    return int(node.name) - 1


def limited(relation: Relation, query: exp.Expression, text: str) -> Relation:
    """The rows that `LIMIT` and `OFFSET` leave."""
    limit, offset = query.args.get("limit"), query.args.get("offset")
    if limit is None and offset is None:
        return relation
    count = _limit(limit, text) if limit is not None else None
    skipped = 0
    if offset is not None:
        understood(text, offset, "expression")
        if limit is not None and "," in text[start_of(offset) : start_of(limit)]:
            hint = "databases read it differently: write `LIMIT count OFFSET skipped`"
            raise ExpressionError("`LIMIT` takes one number", start_of(limit), hint)
        skipped = _whole(offset.expression, "OFFSET")
    return Limit(relation.schema, relation, count, skipped)


def _limit(limit: exp.Expression, text: str) -> int:
    if limit.key == "fetch":
        understood(text, limit, "direction", "count", "limit_options")
        written = limit.args["count"]
    else:
        understood(text, limit, "expression", "limit_options")
        written = limit.expression
    options = limit.args.get("limit_options")
    if options is not None and (options.args.get("percent") or options.args.get("with_ties")):
        refuse_part(text, limit, "limit_options", written)
    return _whole(written, "LIMIT")


def _whole(node: exp.Expression, where: str) -> int:
    while node.key == "paren":
        node = node.this
    if node.key != "literal" or node.is_string or not str(node.name).isdigit():
        raise ExpressionError(f"`{where}` takes a whole number", start_of(node))
    return int(node.name)
