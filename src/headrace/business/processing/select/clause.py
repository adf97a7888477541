"""Binding the expressions of one clause, where the names of the select list may be used as well. Not the clauses themselves.

As in DuckDB, a column of the `FROM` clause comes first, then a name that the select list gives, then the queries around.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from headrace.business.model.types import Integer
from headrace.business.processing.expressions.bind import Binder
from headrace.business.processing.expressions.faults import ExpressionError
from headrace.business.processing.expressions.ir import Aggregate, ColumnRef, Expr, Subquery, Window
from headrace.business.processing.expressions.syntax import start_of
from headrace.business.processing.select.rewriting import aggregates, outer_columns_of_subqueries, rewrite
from headrace.business.processing.select.scope import QueryScope

if TYPE_CHECKING:
    from sqlglot import exp

#: No column has a name that begins so: a stand-in for what `grouping(...)` says of a row, until its groups are known.
GROUPING = "\0grouping "
_ALIAS = "\0alias "
_WINDOW: tuple[type[Expr], ...] = (Window,)
_ANY: tuple[type[Expr], ...] = (Aggregate, Window)


class Clause:
    """Binds expressions in which aggregates or windows are allowed or not, and which may use the names in `aliases`."""

    def __init__(
        self,
        scope: QueryScope,
        aliases: Mapping[str, exp.Expression] | None = None,
        *,
        aggregates: bool = False,
        windows: bool = False,
    ) -> None:
        self.scope = scope
        self.text = scope.setting.text
        self._aliases: Mapping[str, exp.Expression] = {} if aliases is None else aliases
        self._aggregates, self._windows = aggregates, windows
        self._stand_ins: dict[Expr, Expr] = {}
        self._open: list[str] = []

    def bind(self, node: exp.Expression) -> Expr:
        expression = Binder(self, self.text, aggregates=self._aggregates, windows=self._windows).bind(node)
        if self._stand_ins:
            expression = rewrite(expression, self._stand_ins.get)
            self._check_nesting(expression, node)
        self._check_outer_aggregates(expression, node)
        return expression

    def column(self, name: str, table: str | None) -> ColumnRef:
        """Called by the binder."""
        if name.startswith(GROUPING):
            return ColumnRef(Integer(64), name)
        key = name.lower()
        if table is None and key in self._aliases and key not in self._open and self.scope.source.find(name) is None:
            return self._stand_in(key)
        return self.scope.column(name, table)

    def subquery(self, kind: Literal["exists", "in", "scalar"], select: exp.Expression, value: Expr | None) -> Subquery:
        """Called by the binder."""
        return self.scope.subquery(kind, select, value)

    def _stand_in(self, key: str) -> ColumnRef:
        self._open.append(key)
        meant = self.bind(self._aliases[key])
        self._open.pop()
        stand_in = ColumnRef(meant.type, _ALIAS + key)
        self._stand_ins[stand_in] = meant
        return stand_in

    def _check_nesting(self, expression: Expr, node: exp.Expression) -> None:
        """What the binder cannot see: a name that stands for an aggregate, inside of another."""
        calls = [window.call for window in expression.walk() if isinstance(window, Window)]
        for outer in expression.walk():
            if isinstance(outer, Window):
                inside, forbidden = tuple(outer.call.children()), _WINDOW
            elif isinstance(outer, Aggregate) and not any(outer is call for call in calls):
                inside, forbidden = tuple(outer.children()), _ANY
            else:
                continue
            if any(isinstance(n, forbidden) for child in inside for n in child.walk()):
                hint = "compute the inner one in a subquery first"
                raise ExpressionError("aggregates and windows cannot be nested", start_of(node), hint)

    def _check_outer_aggregates(self, expression: Expr, node: exp.Expression) -> None:
        """SQL counts such an aggregate to the query around, and people rarely mean that."""
        for found in aggregates(expression):
            columns = [n for n in found.walk() if isinstance(n, ColumnRef)]
            if columns and all(c.outer for c in columns) and not any(outer_columns_of_subqueries(found)):
                message = f"this `{found.function}` is only over columns of the query around it"
                raise ExpressionError(message, start_of(node), "use a column of this query, or compute it outside")
