"""Two sources side by side: conditions, `USING`, and which columns may be null afterwards. Not what stands in `FROM`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, NoReturn

from headrace.business.model.schema import Column, Schema, did_you_mean
from headrace.business.processing.expressions.bind import Binder
from headrace.business.processing.expressions.build import all_of
from headrace.business.processing.expressions.faults import BindError, ExpressionError
from headrace.business.processing.expressions.ir import ColumnRef, Expr
from headrace.business.processing.relation import Join, Project, columns_of
from headrace.business.processing.select.names import Names
from headrace.business.processing.select.source import Merged, Source

if TYPE_CHECKING:
    from sqlglot import exp

How = Literal["inner", "left", "right", "full", "cross", "semi", "anti"]


def side_by_side(left: Source, right: Source) -> Source:
    """Both sets of names over both sets of columns: what a join condition sees, and what a cross join gives."""
    return joined(left, right, "cross", None)


def joined(left: Source, right: Source, how: How, condition: Expr | None) -> Source:
    if how in ("semi", "anti"):
        return replace(left, relation=Join(left.relation.schema, left.relation, right.relation, how, condition))
    first: Iterable[Column] = _maybe_missing(left.relation.schema) if how in ("right", "full") else left.relation.schema
    second: Iterable[Column] = _maybe_missing(right.relation.schema) if how in ("left", "full") else right.relation.schema
    schema = Schema((*first, *second))
    relation = Join(schema, left.relation, right.relation, how, condition)
    return Source(relation, (*left.tables, *right.tables), (*left.merged, *right.merged))


def joined_using(left: Source, right: Source, how: How, columns: Iterable[tuple[str, int]], names: Names, text: str) -> Source:
    """Joined where the columns of these names (with their places in the text) are equal; each is one column afterwards."""
    pairs = [_Pair(_side(left, name, "left", at), _side(right, name, "right", at), name, at, text) for name, at in columns]
    result = joined(left, right, how, all_of(*(pair.equal() for pair in pairs)))
    if how in ("semi", "anti"):
        return result
    for pair in pairs:
        result = _merge(result, pair, how, names)
    return result


def shared_names(left: Source, right: Source) -> list[str]:
    """The columns that a `NATURAL` join compares."""
    theirs = {column.name.lower() for column in right.star()}
    return [column.name for column in left.star() if column.name.lower() in theirs]


def _merge(source: Source, pair: _Pair, how: How, names: Names) -> Source:
    members = {pair.left.name, pair.right.name}
    kept = []
    for group in source.merged:
        if group.unique in members or group.members & members:
            members |= {group.unique, *group.members}
        else:
            kept.append(group)
    unique = pair.right.name if how == "right" else pair.left.name
    if how == "full":
        unique = names.fresh(pair.name, "using")
        passed = tuple((c.name, ColumnRef(c.type, c.name)) for c in source.relation.schema)
        columns = (*passed, (unique, pair.either()))
        source = replace(source, relation=Project(columns_of(columns, source.relation.schema), source.relation, columns))
    return replace(source, merged=(*kept, Merged(unique, frozenset(members))))


class _Pair:
    """The two columns of one name in a join; the scope of the expressions made of them."""

    def __init__(self, left: ColumnRef, right: ColumnRef, name: str, at: int, text: str) -> None:
        self.left, self.right, self.name, self._at, self._text = left, right, name, at, text

    def equal(self) -> Expr:
        from sqlglot import exp

        return self._bind(exp.EQ(this=exp.column("left"), expression=exp.column("right")))

    def either(self) -> Expr:
        from sqlglot import exp

        return self._bind(exp.Anonymous(this="coalesce", expressions=[exp.column("left"), exp.column("right")]))

    def column(self, name: str, table: str | None) -> ColumnRef:  # noqa: ARG002 - they are two, and none has a table
        return self.left if name == "left" else self.right

    def subquery(self, *_: object) -> NoReturn:
        raise BindError("a subquery cannot stand in `USING`")

    def _bind(self, node: exp.Expression) -> Expr:
        """Bound as if people had written it, so that it is typed as if they had."""
        try:
            return Binder(self, self._text, aggregates=False, windows=False).bind(node)
        except ExpressionError as error:
            message = f"the columns `{self.name}` cannot be compared: {self.left.type} and {self.right.type}"
            raise ExpressionError(message, self._at, error.hint) from None


def _side(source: Source, name: str, side: str, at: int) -> ColumnRef:
    try:
        found = source.find(name)
    except BindError as error:
        raise ExpressionError(f"on the {side} side, {error.message}", at, error.hint) from None
    return found if found is not None else _missing(source, name, side, at)


def _missing(source: Source, name: str, side: str, at: int) -> NoReturn:
    hint = did_you_mean(name, dict.fromkeys(c.name for c in source.star()))
    raise ExpressionError(f"the {side} side of the join has no column `{name}`", at, hint)


def _maybe_missing(schema: Schema) -> Iterable[Column]:
    return (replace(column, nullable=True) for column in schema)
