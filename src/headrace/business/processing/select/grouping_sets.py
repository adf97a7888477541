"""What stands behind `GROUP BY`: keys, and the sets of them that make groups. Not the grouping itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, combinations, product
from typing import TYPE_CHECKING

from headrace.business.processing.expressions.faults import ExpressionError
from headrace.business.processing.expressions.ir import ColumnRef, Expr
from headrace.business.processing.expressions.syntax import start_of
from headrace.business.processing.select.clause import Clause
from headrace.business.processing.select.grammar import refuse, understood
from headrace.business.processing.select.ordering import ordinal
from headrace.business.processing.select.projection import Item
from headrace.business.processing.select.rewriting import aggregates, windows

if TYPE_CHECKING:
    from sqlglot import exp

#: Each set reads the rows again, so a slip of the pen should not ask for thousands.
MOST_SETS = 64

Set = frozenset[int]


@dataclass(frozen=True)
class Key:
    name: str
    expression: Expr


@dataclass(frozen=True)
class KeySets:
    """The keys of a `GROUP BY`, and each set of them, by number, that makes groups."""

    keys: tuple[Key, ...] = ()
    sets: tuple[Set, ...] = (frozenset(),)


class GroupByClause:
    """Reads one `GROUP BY` clause. Keys may be columns, names of the select list, its positions, or expressions."""

    def __init__(self, clause: Clause, items: Sequence[Item]) -> None:
        self._clause, self._items, self._text = clause, items, clause.text
        self._keys: list[Key] = []

    def read(self, group: exp.Expression) -> KeySets:
        understood(self._text, group, "expressions", "all")
        if group.args.get("all") is False:  # so SQLGlot notes the word
            refuse(self._text, group, "`GROUP BY DISTINCT` is not understood", "distinct", "name each grouping set once")
        if group.args.get("all"):
            if group.expressions:
                raise ExpressionError("`GROUP BY ALL` takes nothing more", start_of(group.expressions[0]))
            return self._all()
        choices = [self._element(node) for node in group.expressions]
        count = 1
        for sets in choices:
            count *= len(sets)
        if count > MOST_SETS:
            message = f"this `GROUP BY` makes {count:,} grouping sets; at most {MOST_SETS} are computed"
            raise ExpressionError(message, start_of(group.expressions[0]), "name the sets that you need with `GROUPING SETS`")
        together = tuple(frozenset(chain.from_iterable(picked)) for picked in product(*choices))
        return KeySets(tuple(self._keys), together)

    def _all(self) -> KeySets:
        for item in self._items:
            if not any(aggregates(item.expression)) and not any(windows(item.expression)):
                self._key(item.expression, item.name)
        return KeySets(tuple(self._keys), (frozenset(range(len(self._keys))),))

    def _element(self, node: exp.Expression) -> list[Set]:
        """The sets that one element stands for."""
        if node.key == "groupingsets":
            understood(self._text, node, "expressions")
            return [found for part in node.expressions for found in self._element(part)]
        if node.key == "rollup":
            understood(self._text, node, "expressions")
            parts = [self._columns(part) for part in node.expressions]
            return [_union(parts[:length]) for length in range(len(parts), -1, -1)]
        if node.key == "cube":
            understood(self._text, node, "expressions")
            parts = [self._columns(part) for part in node.expressions]
            if 2 ** len(parts) > MOST_SETS:
                raise ExpressionError(f"a cube of {len(parts)} keys has {2 ** len(parts):,} grouping sets", start_of(node))
            return [_union(picked) for length in range(len(parts), -1, -1) for picked in combinations(parts, length)]
        return [self._columns(node)]

    def _columns(self, node: exp.Expression) -> Set:
        """One key, or several in brackets that go together."""
        if node.key == "tuple":
            return _union(self._columns(part) for part in node.expressions)
        while node.key == "paren":
            node = node.this
        number = ordinal(node, len(self._items), "GROUP BY")
        if number is None:
            name = node.name if node.key == "column" else None
            return frozenset((self._key(self._clause.bind(node), name),))
        item = self._items[number]
        if any(aggregates(item.expression)) or any(windows(item.expression)):
            raise ExpressionError("a key cannot be an aggregate or a window", start_of(node))
        return frozenset((self._key(item.expression, item.name),))

    def _key(self, expression: Expr, name: str | None) -> int:
        """The number of a key. One that is a column keeps its name, which subqueries may use."""
        for number, key in enumerate(self._keys):
            if key.expression == expression:
                return number
        if isinstance(expression, ColumnRef) and not expression.outer:
            unique = expression.name
        else:
            unique = self._clause.scope.names.fresh(name or "key")
        self._keys.append(Key(unique, expression))
        return len(self._keys) - 1


def _union(sets: Iterable[Set]) -> Set:
    return frozenset(chain.from_iterable(sets))
