"""The select list: stars become columns, and every column gets its name. Not grouping or windows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from headrace.business.model.schema import did_you_mean
from headrace.business.processing.expressions.faults import ExpressionError
from headrace.business.processing.expressions.ir import ColumnRef, Expr
from headrace.business.processing.expressions.syntax import start_of
from headrace.business.processing.relation import Project, Relation, columns_of
from headrace.business.processing.select.clause import Clause
from headrace.business.processing.select.grammar import understood
from headrace.business.processing.select.names import Names
from headrace.business.processing.select.source import Named, Source

if TYPE_CHECKING:
    from sqlglot import exp

#: What stands around an expression without changing what it is called.
_WRAPPERS = frozenset(("paren", "cast", "trycast", "window", "filter", "ignorenulls", "respectnulls", "withingroup"))


@dataclass(frozen=True)
class Item:
    """A column of the result, as far as it is known: its name, if it has one, and where it stands in the text."""

    name: str | None
    expression: Expr
    node: exp.Expression


def written_names(select: exp.Expression) -> dict[str, exp.Expression]:
    """The names that the select list gives to expressions with `AS`."""
    return {node.alias.lower(): node.this for node in reversed(select.expressions) if node.key == "alias"}


class SelectList:
    """Binds the items of a select list. Each may use the names of those before it."""

    def __init__(self, clause: Clause, aliases: dict[str, exp.Expression]) -> None:
        """`aliases` is what the clause looks names up in; it grows with the list."""
        self._clause, self._aliases = clause, aliases
        self._source, self._text = clause.scope.source, clause.text

    def bind(self, select: exp.Expression) -> list[Item]:
        items: list[Item] = []
        for node in select.expressions:
            star = node if node.key == "star" else node.this if node.key == "column" and node.this.key == "star" else None
            if star is not None:
                items.extend(self._star(star, node))
            else:
                items.append(self._item(node))
        if not items:
            raise ExpressionError("there is nothing to select", start_of(select), "name the columns of the result")
        return items

    def _item(self, node: exp.Expression) -> Item:
        if node.key != "alias":
            expression = self._clause.bind(node)
            return Item(_name_of(node, self._source), expression, node)
        understood(self._text, node, "this", "alias")
        item = Item(node.alias, self._clause.bind(node.this), node)
        self._aliases.setdefault(node.alias.lower(), node.this)
        return item

    def _star(self, star: exp.Expression, node: exp.Expression) -> Iterator[Item]:
        understood(self._text, star, "except_", "replace", "rename")
        table = None
        if star is not node:
            understood(self._text, node, "this", "table")
            table = node.args["table"].name
        columns = {column.name.lower(): column for column in self._source.star(table)}
        if not columns:
            missing = f"there is no table `{table}` in this query" if table else "`*` needs a `FROM`"
            hint = did_you_mean(table, self._source.aliases) if table else None
            raise ExpressionError(missing, start_of(node), hint)
        excluded = {self._starred(part, columns) for part in star.args.get("except_") or []}
        renamed = {self._starred(part.this, columns): part.alias for part in star.args.get("rename") or []}
        replaced = {self._starred(part.args["alias"], columns): part for part in star.args.get("replace") or []}
        for column in self._source.star(table):
            key = column.name.lower()
            if key in excluded:
                continue
            expression: Expr = self._source.reference(column.unique)
            if key in replaced:
                expression = self._clause.bind(replaced[key].this)
            yield Item(renamed.get(key, column.name), expression, replaced.get(key, node))

    def _starred(self, node: exp.Expression, columns: Mapping[str, Named]) -> str:
        """The column of a star that `EXCLUDE`, `REPLACE` or `RENAME` speaks of."""
        if node.name.lower() not in columns or node.args.get("table"):
            hint = did_you_mean(node.name, columns) if not node.args.get("table") else "write the column without its table"
            raise ExpressionError(f"`*` has no column `{node.name}`", start_of(node), hint)
        return node.name.lower()


def names_of(items: Sequence[Item], *, required: bool) -> tuple[str, ...]:
    """What the columns of the result are called. Where names are `required` each has its own, else those that lack one get any."""
    names, found = Names(), []
    for number, item in enumerate(items, 1):
        if not required:
            found.append(names.fresh(item.name or f"column {number}"))
        elif not item.name:
            raise ExpressionError("this column has no name", start_of(item.node), "give it one: `... as name`")
        elif item.name in names:
            hint = f"give one of them another name: `... as other`{_star_hint(item)}"
            raise ExpressionError(f"two columns of the result are called `{item.name}`", start_of(item.node), hint)
        else:
            found.append(names.fresh(item.name))
    return tuple(found)


def projected(relation: Relation, columns: Sequence[tuple[str, Expr]]) -> Relation:
    """The relation with these columns; itself, if it has just them already."""
    same = [(c.name, ColumnRef(c.type, c.name)) for c in relation.schema]
    if list(columns) == same:
        return relation
    return Project(columns_of(tuple(columns), relation.schema), relation, tuple(columns))


def changed_items(items: Sequence[Item], expressions: Sequence[Expr]) -> list[Item]:
    return [replace(item, expression=expression) for item, expression in zip(items, expressions, strict=True)]


def _name_of(node: exp.Expression, source: Source) -> str | None:
    """What a column is called that is given no name: as its column or its function."""
    while node.key in _WRAPPERS:
        node = node.this
    if node.key == "column":
        table = node.args["table"].name if node.args.get("table") else None
        found = source.find(node.name, table)
        spelled = source.spelling(found.name) if found is not None else None
        return spelled or str(node.name)
    if node.key == "anonymous":
        return str(node.name).lower()
    return node.key if node.key in ("case", "extract") else None


def _star_hint(item: Item) -> str:
    starred = item.node.key == "star" or (item.node.key == "column" and item.node.this.key == "star")
    return f", or leave it out of the star: `* exclude ({item.name})`" if starred else ""
