"""One `SELECT ... FROM ...`: its clauses in the order in which they act. Not set operations or subqueries (see `query`).

FROM -> WHERE -> GROUP BY -> HAVING -> windows -> QUALIFY -> columns -> DISTINCT -> ORDER BY -> LIMIT
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from headrace.business.model.types import Boolean, Null
from headrace.business.processing.expressions.faults import ExpressionError
from headrace.business.processing.expressions.ir import Expr
from headrace.business.processing.expressions.syntax import start_of
from headrace.business.processing.relation import Filter
from headrace.business.processing.select.clause import Clause
from headrace.business.processing.select.from_clause import FromClause
from headrace.business.processing.select.grammar import understood
from headrace.business.processing.select.grouping import bind_groupings, grouped, mark_groupings
from headrace.business.processing.select.grouping_sets import GroupByClause, KeySets
from headrace.business.processing.select.ordering import MODIFIERS, Order, bind_key, bind_order
from headrace.business.processing.select.projection import Item, SelectList, names_of, written_names
from headrace.business.processing.select.result import Result
from headrace.business.processing.select.rewriting import aggregates
from headrace.business.processing.select.scope import Answer, QueryScope, Setting
from headrace.business.processing.select.windows import with_windows, write_out_windows

if TYPE_CHECKING:
    from sqlglot import exp

_CLAUSES = ("expressions", "from_", "joins", "where", "group", "having", "qualify", "windows", "distinct", "with_", *MODIFIERS)


class Selection:
    """Binds one select. Everything it says is bound over the rows of `FROM` first, then follows them through the stages."""

    def __init__(self, select: exp.Expression, setting: Setting) -> None:
        understood(setting.text, select, *_CLAUSES)
        self._select, self._text = select, setting.text
        self._distinct = select.args.get("distinct")
        write_out_windows(select, setting.text)
        self._groupings = mark_groupings(select)
        clause = FromClause(setting)
        self._scope = QueryScope(clause.bind(select), clause.names, setting)
        self._aliases = written_names(select)
        self._rows = self._scope.source.relation
        self._items: Sequence[Item] = ()
        self._order: Sequence[Order] = ()
        self._on: Sequence[Order] = ()

    def bind(self, *, named: bool) -> Answer:
        self._where()
        listed: dict[str, exp.Expression] = {}
        self._items = SelectList(Clause(self._scope, listed, aggregates=True, windows=True), listed).bind(self._select)
        after = Clause(self._scope, self._aliases, aggregates=True, windows=True)
        self._order = bind_order(self._select.args.get("order"), self._items, after)
        self._having = self._condition("having", Clause(self._scope, self._aliases, aggregates=True))
        self._qualify = self._condition("qualify", after)
        self._on = self._distinct_on(after)
        self._group()
        if self._having is not None:
            self._rows = Filter(self._rows.schema, self._rows, self._having)
        if self._qualify is not None or self._on:
            self._windows()
        names, unique = names_of(self._items, required=named), self._scope.setting.names_of_result()
        columns = [(unique.fresh(name), item.expression) for name, item in zip(names, self._items, strict=True)]
        result = Result(self._select, self._scope, columns, self._order)
        distinct: Literal["on"] | bool = "on" if self._on else self._distinct is not None
        return Answer(result.over(self._rows, distinct, [key.expression for key in self._on]), names)

    def _where(self) -> None:
        condition = self._condition("where", Clause(self._scope, self._aliases))
        if condition is not None:
            self._rows = Filter(self._rows.schema, self._rows, condition)

    def _condition(self, part: str, clause: Clause) -> Expr | None:
        node = self._select.args.get(part)
        if node is None:
            return None
        understood(self._text, node, "this")
        bound = clause.bind(node.this)
        if not isinstance(bound.type, Boolean | Null):
            hint = "write a comparison, as in `x <> 0`"
            raise ExpressionError(f"`{part.upper()}` needs a condition, and this is {bound.type}", start_of(node), hint)
        return bound

    def _distinct_on(self, clause: Clause) -> list[Order]:
        if self._distinct is None:
            return []
        understood(self._text, self._distinct, "on")
        on = self._distinct.args.get("on")
        if on is None:
            return []
        nodes = on.expressions if on.key == "tuple" else [on]
        if not self._order:
            hint = "say with `ORDER BY` which row comes first, or use the step `clean` with `dedupe`"
            raise ExpressionError("`DISTINCT ON` without `ORDER BY` would keep any row", start_of(on), hint)
        return [bind_key(node, self._items, clause, "DISTINCT ON") for node in nodes]

    def _group(self) -> None:
        group, sets = self._select.args.get("group"), KeySets()
        keys = Clause(self._scope, self._aliases)
        if group is not None:
            sets = GroupByClause(keys, self._items).read(group)
        elif self._having is None and not any(any(aggregates(phrase)) for phrase in self._phrases()):
            self._check_no_groupings()
            return
        groupings = bind_groupings(self._groupings, sets, keys)
        groups = grouped(self._rows, sets, self._phrases(), self._scope, groupings, self._aliases)
        self._rows = groups.relation
        self._follow(groups.convert)
        if self._having is not None:
            self._having = groups.convert(self._having, self._select.args["having"])

    def _windows(self) -> None:
        """`QUALIFY` and `DISTINCT ON` choose among rows by windows, and all other windows see the rows before that choice."""
        self._rows, read = with_windows(self._rows, self._phrases(), self._scope)
        self._follow(lambda expression, _: read(expression))
        if self._qualify is not None:
            self._rows = Filter(self._rows.schema, self._rows, self._qualify)

    def _phrases(self) -> list[Expr]:
        """All that is said of the rows, beside conditions that were applied already."""
        conditions = [c for c in (self._having, self._qualify) if c is not None]
        keys = (*self._order, *self._on)
        return [*(item.expression for item in self._items), *(key.expression for key in keys), *conditions]

    def _follow(self, convert: Callable[[Expr, exp.Expression], Expr]) -> None:
        """All that is said of the rows, said of the rows of the next stage."""
        self._items = [replace(i, expression=convert(i.expression, i.node)) for i in self._items]
        self._order = [replace(o, expression=convert(o.expression, o.node)) for o in self._order]
        self._on = [replace(o, expression=convert(o.expression, o.node)) for o in self._on]
        if self._qualify is not None:
            self._qualify = convert(self._qualify, self._select.args["qualify"])

    def _check_no_groupings(self) -> None:
        for arguments in self._groupings.values():
            raise ExpressionError("`grouping` needs a `GROUP BY`", start_of(arguments[0]) if arguments else 0)
