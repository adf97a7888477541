"""`GROUP BY` and aggregates: which groups there are, and what may be said of a group. Not the select list.

Grouping sets are one grouping each, put one after another, in which the keys of the others are null. After grouping, an
expression may use the keys and the aggregates; `Grouped.convert` makes it read them from the grouped rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NoReturn

from headrace.business.model.schema import Schema
from headrace.business.model.types import Integer
from headrace.business.processing.expressions.faults import BindError, ExpressionError
from headrace.business.processing.expressions.ir import Aggregate, ColumnRef, Constant, Expr, Subquery, Window
from headrace.business.processing.expressions.syntax import start_of
from headrace.business.processing.relation import GroupBy, Project, Relation, SetOperation, columns_of
from headrace.business.processing.select.clause import GROUPING, Clause
from headrace.business.processing.select.grammar import directly_in
from headrace.business.processing.select.grouping_sets import Key, KeySets
from headrace.business.processing.select.rewriting import aggregates, outer_columns, rewrite, rewrite_window
from headrace.business.processing.select.scope import QueryScope

if TYPE_CHECKING:
    from sqlglot import exp

#: What `grouping(...)` is of: the stand-in's name, and for each argument the number of its key.
Groupings = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Grouped:
    """Rows after grouping, and how expressions over the rows before are computed from them."""

    relation: Relation
    scope: QueryScope
    known: Mapping[Expr, Expr]
    plain_keys: frozenset[str]
    aliases: Mapping[str, exp.Expression]

    def convert(self, expression: Expr, node: exp.Expression) -> Expr:
        def change(part: Expr) -> Expr | None:
            if part in self.known:
                return self.known[part]
            if isinstance(part, Window):
                return rewrite_window(part, change)
            if isinstance(part, ColumnRef) and not part.outer:
                self._refuse(part.name, node)
            if isinstance(part, Subquery):
                self._check_subquery(part, node)
            return None

        return rewrite(expression, change)

    def _check_subquery(self, subquery: Subquery, node: exp.Expression) -> None:
        """A key that is a column keeps its name, so a subquery may go on reading it."""
        for name in outer_columns(subquery.relation):
            if name in self.scope.source.relation.schema and name not in self.plain_keys:
                self._refuse(name, node)

    def _refuse(self, unique: str, node: exp.Expression) -> NoReturn:
        place, name = node, self.scope.source.spelling(unique) or unique
        for column in node.find_all(_column_class()):
            try:
                found = self.scope.source.find(column.name, column.table or None)
            except BindError:
                continue
            if found is not None and found.name == unique:
                place = column
        hint = f"group by it too, or say which value of the group is meant, as in `min({name})`"
        if name.lower() in self.aliases:
            hint = f"`{name}` is also a name that the select list gives, but columns come first; write out what it stands for"
        raise ExpressionError(f"`{name}` has many values in a group", start_of(place), hint)


def grouped(
    relation: Relation, sets: KeySets, phrases: Sequence[Expr], scope: QueryScope, groupings: Groupings,
    aliases: Mapping[str, exp.Expression],
) -> Grouped:  # fmt: skip
    """Group the relation for everything that is said of its groups."""
    measures: dict[Expr, str] = {}
    for phrase in phrases:
        for found in aggregates(phrase):
            if found not in measures:
                measures[found] = scope.names.fresh(found.function)
    if not measures and any(not keys for keys in sets.sets):
        measures[_count()] = scope.names.fresh("count")
    listed = tuple((name, expression) for expression, name in measures.items())
    known: dict[Expr, Expr] = {k.expression: ColumnRef(k.expression.type, k.name) for k in sets.keys if not _constant(k)}
    known |= {expression: ColumnRef(expression.type, name) for expression, name in measures.items()}
    if len(sets.sets) == 1:
        known |= {ColumnRef(Integer(64), name): Constant(Integer(64), 0) for name in groupings}
        result: Relation = _group(relation, sets.keys, listed)
    else:
        marks = {name: scope.names.fresh("grouping") for name in groupings}
        known |= {ColumnRef(Integer(64), name): ColumnRef(Integer(64), mark) for name, mark in marks.items()}
        result = _one_after_another(relation, sets, listed, groupings, marks)
    plain = frozenset(k.name for k in sets.keys if isinstance(k.expression, ColumnRef))
    return Grouped(result, scope, known, plain, aliases)


def mark_groupings(select: exp.Expression) -> dict[str, list[exp.Expression]]:
    """Put stand-ins for the calls of `grouping(...)`, which is no function of a row; gives the arguments of each."""
    from sqlglot import exp

    found: dict[str, list[exp.Expression]] = {}
    inside = select.find_all(exp.Anonymous)
    calls = [n for n in inside if n.name.lower() in ("grouping", "grouping_id") and directly_in(n, select)]
    for number, call in enumerate(calls):
        name = f"{GROUPING}{number}"
        found[name] = list(call.expressions)
        word = exp.Identifier(this=name, quoted=True)
        word.meta.update(call.meta)
        call.replace(exp.Column(this=word))
    return found


def bind_groupings(calls: Mapping[str, list[exp.Expression]], sets: KeySets, clause: Clause) -> Groupings:
    numbers = {key.expression: number for number, key in enumerate(sets.keys)}
    bound: dict[str, tuple[int, ...]] = {}
    for name, arguments in calls.items():
        for node in arguments:
            if clause.bind(node) not in numbers:
                raise ExpressionError("`grouping` asks about keys of the `GROUP BY`, and this is none", start_of(node))
        bound[name] = tuple(numbers[clause.bind(node)] for node in arguments)
    return bound


def _one_after_another(
    relation: Relation, sets: KeySets, measures: tuple[tuple[str, Expr], ...], groupings: Groupings, marks: Mapping[str, str]
) -> Relation:
    parts = []
    for chosen in sets.sets:
        part = _group(relation, [sets.keys[i] for i in sorted(chosen)], measures)
        columns: list[tuple[str, Expr]] = []
        for number, key in enumerate(sets.keys):
            kind = key.expression.type
            columns.append((key.name, ColumnRef(kind, key.name) if number in chosen else Constant(kind, None)))
        columns += [(name, ColumnRef(expression.type, name)) for name, expression in measures]
        columns += [(marks[name], Constant(Integer(64), _bits(keys, chosen))) for name, keys in groupings.items()]
        parts.append(Project(columns_of(tuple(columns), part.schema), part, tuple(columns)))
    kept = [[part.schema[column.name] for part in parts] for column in parts[0].schema]
    schema = Schema(tuple(replace(same[0], nullable=any(c.nullable for c in same)) for same in kept))
    return SetOperation(schema, tuple(parts))


def _group(relation: Relation, keys: Sequence[Key], measures: tuple[tuple[str, Expr], ...]) -> GroupBy:
    named = tuple((key.name, key.expression) for key in keys)
    return GroupBy(columns_of((*named, *measures), relation.schema), relation, named, measures)


def _bits(keys: tuple[int, ...], chosen: frozenset[int]) -> int:
    """One bit for each argument, the last one lowest: whether that key is left out of the group."""
    return sum(1 << place for place, key in enumerate(reversed(keys)) if key not in chosen)


def _count() -> Aggregate:
    """Something to say of a group of which nothing is asked: a row has at least one column."""
    return Aggregate(Integer(64), "count")


def _constant(key: Key) -> bool:
    return isinstance(key.expression, Constant)


def _column_class() -> type[exp.Column]:
    from sqlglot import exp

    return exp.Column
