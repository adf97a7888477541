"""The last stages of a query: its columns, `DISTINCT`, order and limit. Not the rows that they are made from.

An order may need columns that the result does not have: they are computed beside it and dropped at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from headrace.business.model.types import Boolean
from headrace.business.processing.expressions.faults import ExpressionError
from headrace.business.processing.expressions.ir import Call, ColumnRef, Constant, Expr, SortKey, Subquery
from headrace.business.processing.expressions.syntax import start_of
from headrace.business.processing.relation import Distinct, Filter, Relation, Sort
from headrace.business.processing.select.names import Names
from headrace.business.processing.select.ordering import Order, limited
from headrace.business.processing.select.projection import projected
from headrace.business.processing.select.rewriting import rewrite
from headrace.business.processing.select.scope import QueryScope
from headrace.business.processing.select.windows import row_number

if TYPE_CHECKING:
    from sqlglot import exp

Columns = Sequence[tuple[str, Expr]]


class Result:
    """Builds the result of one query over the rows that its clauses left."""

    def __init__(self, query: exp.Expression, scope: QueryScope, columns: Columns, order: Sequence[Order]) -> None:
        self._query, self._scope, self._order = query, scope, order
        self._columns = list(columns)
        self._beside = Names()
        for name, _ in columns:
            self._beside.fresh(name)

    def over(self, rows: Relation, distinct: Literal["on"] | bool, distinct_on: Sequence[Expr] = ()) -> Relation:
        visible = [(name, ColumnRef(expression.type, name)) for name, expression in self._columns]
        if distinct is True:
            relation: Relation = projected(rows, self._columns)
            relation = Distinct(relation.schema, relation)
            keys = [order.key(self._over_result(order)) for order in self._order]
        else:
            keys = [order.key(self._beside_result(order)) for order in self._order]
            relation = self._first_of_each(rows, distinct_on) if distinct == "on" else projected(rows, self._columns)
        if keys:
            relation = Sort(relation.schema, relation, tuple(keys))
        return projected(limited(relation, self._query, self._scope.setting.text), visible)

    def _beside_result(self, order: Order) -> Expr:
        return self._column(order.output) if order.output is not None else self._add("sort", order.expression)

    def _over_result(self, order: Order) -> Expr:
        """After `DISTINCT` only the columns of the result are there."""
        known: dict[Expr, Expr] = {expression: ColumnRef(expression.type, name) for name, expression in self._columns}

        def change(part: Expr) -> Expr | None:
            if part in known:
                return known[part]
            if isinstance(part, ColumnRef | Subquery):
                hint = "add it to the select list, or order a query around this one"
                raise ExpressionError(
                    "with `DISTINCT` only columns of the result can be in `ORDER BY`", start_of(order.node), hint
                )
            return None

        return self._column(order.output) if order.output is not None else rewrite(order.expression, change)

    def _column(self, number: int) -> ColumnRef:
        name, expression = self._columns[number]
        return ColumnRef(expression.type, name)

    def _first_of_each(self, rows: Relation, keys: Sequence[Expr]) -> Relation:
        """Nulls count as equal here, which they do not in a `Dedupe`."""
        order = [SortKey(o.expression, o.descending, o.nulls_first) for o in self._order]
        number = self._add("number", row_number(keys, order))
        relation = projected(rows, self._columns)
        first = Call(Boolean(), "equal", (number, Constant(number.type, 1)))
        return Filter(relation.schema, relation, first)

    def _add(self, wanted: str, expression: Expr) -> ColumnRef:
        name = self._beside.fresh(wanted)
        self._columns.append((name, expression))
        return ColumnRef(expression.type, name)
