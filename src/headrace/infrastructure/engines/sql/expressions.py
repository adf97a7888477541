"""Prints typed expressions in the SQL of a dialect. Not relations (see `relations`): their text comes in through `print_relation`.

Every function has an entry in the dialect; one that has none is found by `plan_problems`, before anything runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from headrace.business.processing.expressions.ir import (
    Aggregate,
    Bound,
    Call,
    Case,
    Cast,
    ColumnRef,
    Constant,
    Expr,
    Frame,
    SortKey,
    Subquery,
    Window,
)  # fmt: skip
from headrace.business.processing.relation import Relation
from headrace.infrastructure.engines.sql.dialect import Dialect

_BOUNDS = {
    "unbounded_preceding": "UNBOUNDED PRECEDING",
    "preceding": "{} PRECEDING",
    "current_row": "CURRENT ROW",
    "following": "{} FOLLOWING",
    "unbounded_following": "UNBOUNDED FOLLOWING",
}


def missing_functions(e: Expr, dialect: Dialect) -> list[str]:
    """The functions in an expression that have no entry."""
    called = [node.function for node in e.walk() if isinstance(node, Call) and node.function not in dialect.functions]
    called += [node.function for node in e.walk() if isinstance(node, Aggregate) and node.function not in dialect.aggregates]
    return [f"the engine {dialect.engine} has no `{name}`" for name in dict.fromkeys(called)]


class ExpressionPrinter:
    """Prints expressions; `print_relation` gives the text of a query inside of one."""

    def __init__(self, dialect: Dialect, print_relation: Callable[[Relation], str] | None = None) -> None:
        self._dialect, self._print_relation = dialect, print_relation

    def sql(self, e: Expr) -> str:
        match e:
            case ColumnRef():
                return self._dialect.identifier(e.name)
            case Constant():
                return self._dialect.literal(e.value, e.type)
            case Call():
                return self._call(e)
            case Cast():
                return self._dialect.cast(e, self.sql(e.value))
            case Case():
                branches = " ".join(
                    f"WHEN {self.condition(condition)} THEN {self.sql(value)}" for condition, value in e.branches
                )
                return f"CASE {branches} ELSE {self.sql(e.otherwise)} END"
            case Aggregate():
                return self._aggregate(e, "")
            case Window():
                return self._window(e)
            case Subquery():
                return self._subquery(e)
            case _:
                raise TypeError(f"{type(e).__name__} is not an expression")

    def condition(self, e: Expr) -> str:
        """What is only asked whether it holds, so that null and false are one."""
        if isinstance(e, Subquery):
            return self._test(e)
        tests = isinstance(e, Call) and e.function == "not" and isinstance(e.args[0], Subquery)
        if isinstance(e, Call) and (tests or e.function in ("and", "or")):
            return self._lowered(e, [self.condition(arg) for arg in e.args])
        return self.sql(e)

    def sort_key(self, key: SortKey) -> str:
        direction = "DESC" if key.descending else "ASC"
        ordered = self._dialect.ordered(self.sql(key.expression), key.expression.type)
        return f"{ordered} {direction} NULLS {'FIRST' if key.nulls_first else 'LAST'}"

    def _call(self, e: Call) -> str:
        return self._lowered(e, [self.sql(arg) for arg in e.args])

    def _lowered(self, e: Call, args: Sequence[str]) -> str:
        lowering = self._dialect.functions[e.function]
        return lowering.format(*args) if isinstance(lowering, str) else lowering(e, args)

    def _aggregate(self, e: Aggregate, over: str) -> str:
        order = ", ".join(self.sort_key(key) for key in e.order_by)
        where = self.condition(e.where) if e.where is not None else None
        return self._dialect.aggregate(e, [self.sql(arg) for arg in e.args], where, order, over)

    def _window(self, e: Window) -> str:
        over = f" OVER ({self._specification(e)})"
        if isinstance(e.call, Aggregate):
            return self._aggregate(e.call, over)
        if isinstance(e.call, Call):
            return self._call(e.call) + over
        raise TypeError(f"{type(e.call).__name__} cannot stand before OVER")

    def _specification(self, e: Window) -> str:
        parts = []
        if e.partition_by:
            parts.append("PARTITION BY " + ", ".join(self.sql(part) for part in e.partition_by))
        frameless = isinstance(e.call, Call) and e.call.function in self._dialect.frameless
        if e.order_by:
            parts.append(self.order_by(e.order_by))
        elif frameless:
            parts.append("ORDER BY NULL")
        if e.frame is not None and not frameless:
            parts.append(self._frame(e.frame))
        return " ".join(parts)

    def order_by(self, keys: Sequence[SortKey]) -> str:
        return "ORDER BY " + ", ".join(self.sort_key(key) for key in keys)

    def _frame(self, frame: Frame) -> str:
        return f"{frame.unit.upper()} BETWEEN {self._bound(frame.start)} AND {self._bound(frame.end)}"

    def _bound(self, bound: Bound) -> str:
        side, distance = bound
        return _BOUNDS[side].format(self.sql(distance) if distance is not None else "")

    def _subquery(self, e: Subquery) -> str:
        return self._test(e) if e.kind == "scalar" else self._dialect.valued(e.kind, self._test(e))

    def _test(self, e: Subquery) -> str:
        if self._print_relation is None:
            raise TypeError("an expression with a query inside can only be printed as part of a relation")
        query = f"({self._print_relation(e.relation)})"
        if e.kind == "exists":
            return f"EXISTS {query}"
        if e.kind == "in" and e.value is not None:
            return f"({self._dialect.equated(self.sql(e.value), e.value.type)} IN {query})"
        return query
