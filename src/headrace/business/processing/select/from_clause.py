"""The `FROM` clause: datasets, subqueries and written rows, and the joins between them. Nothing else can be read."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import TYPE_CHECKING

from headrace.business.model.schema import did_you_mean, suggest
from headrace.business.processing.expressions.faults import ExpressionError
from headrace.business.processing.expressions.syntax import start_of
from headrace.business.processing.select.clause import Clause
from headrace.business.processing.select.grammar import bare, keyword_before, refuse, refuse_part, understood
from headrace.business.processing.select.joins import How, joined, joined_using, shared_names, side_by_side
from headrace.business.processing.select.scope import Answer, QueryScope, Setting
from headrace.business.processing.select.source import Source, one_row, table_source

if TYPE_CHECKING:
    from sqlglot import exp

_ONLY_DATASETS = "a `sql` step reads the sources of its definition, and steps before it; files are declared as sources"
_SIDES: dict[str, How] = {"LEFT": "left", "RIGHT": "right", "FULL": "full"}
_REFUSED = {
    "lateral": ("`LATERAL` is not understood", "lateral", "join with `ON`, or use the step `unnest` for lists"),
    "unnest": ("`unnest` cannot stand in `FROM`", "unnest", "use the step `unnest`"),
    "pivot": ("`PIVOT` is not understood", "pivot", "use the steps `pivot` and `unpivot`"),
}


class FromClause:
    """Builds the source of one query. Subqueries in it see the queries around, but not their neighbours."""

    def __init__(self, setting: Setting) -> None:
        self.setting, self.names = setting, setting.names()
        self._text = setting.text

    def bind(self, select: exp.Expression) -> Source:
        clause = select.args.get("from_")
        if clause is None:
            return one_row(self.names)
        understood(self._text, clause, "this")
        return self._with_joins(self._table(clause.this), select.args.get("joins") or [])

    def _with_joins(self, first: Source, joins: list[exp.Expression]) -> Source:
        """A comma binds weaker than any `JOIN`: the parts between commas are joined first."""
        parts = [first]
        for join in joins:
            understood(self._text, join, "this", "on", "side", "kind", "using", "method")
            right = self._table(join.this)
            self._check_aliases(parts, right, join.this)
            if self._follows_comma(join):
                parts.append(right)
            else:
                parts[-1] = self._join(parts[-1], right, join)
        return reduce(side_by_side, parts)

    def _join(self, left: Source, right: Source, join: exp.Expression) -> Source:
        how, on, using = self._kind(join), join.args.get("on"), join.args.get("using")
        place = _place_of_join(self._text, join)
        if _word(join, "method") == "NATURAL":
            shared = [(name, place) for name in shared_names(left, right)]
            if on is not None or using or not shared:
                raise ExpressionError("the two sides of this `NATURAL` join share no column", place, "write `ON` or `USING`")
            return joined_using(left, right, how, shared, self.names, self._text)
        if how == "cross":
            for part in ("on", "using"):
                if value := join.args.get(part):
                    refuse_part(self._text, join, part, value)
            return side_by_side(left, right)
        if using:
            columns = [(column.name, start_of(column)) for column in using]
            return joined_using(left, right, how, columns, self.names, self._text)
        if on is None:
            raise ExpressionError("a join needs `ON` or `USING`", place, "for all pairs of rows write `CROSS JOIN`")
        both = side_by_side(left, right)
        return joined(left, right, how, Clause(QueryScope(both, self.names, self.setting)).bind(on))

    def _kind(self, join: exp.Expression) -> How:
        method, side, kind = (_word(join, part) for part in ("method", "side", "kind"))
        if method not in ("", "NATURAL"):
            refuse(self._text, join, f"`{method} JOIN` is not understood", method, "use a join with `ON`")
        kinds: dict[tuple[str, str], How] = {
            ("", ""): "inner", ("", "INNER"): "inner", ("", "CROSS"): "cross",
            ("", "SEMI"): "semi", ("LEFT", "SEMI"): "semi", ("", "ANTI"): "anti", ("LEFT", "ANTI"): "anti",
            **{(word, outer): how for word, how in _SIDES.items() for outer in ("", "OUTER")},
        }  # fmt: skip
        if (side, kind) not in kinds:
            refuse(self._text, join, f"`{side} {kind} JOIN`".replace("` ", "`") + " is not understood", kind or side)
        return kinds[side, kind]

    def _table(self, node: exp.Expression) -> Source:
        alias = node.args.get("alias")
        if node.key == "table":
            source = self._dataset(node, alias)
        elif node.key == "values":
            source = self._named(self.setting.bind_query(node, self.setting, named=False), alias, None)
        elif node.key == "subquery" and node.this.key == "table":
            understood(self._text, node, "this")
            source = self._table(node.this)
        elif node.key == "subquery":
            columns = alias.args.get("columns") if alias is not None else None
            source = self._named(self.setting.bind_query(node, self.setting, named=not columns), alias, None)
        elif node.key in _REFUSED:
            refuse(self._text, node, *_REFUSED[node.key])
        else:
            refuse(self._text, node, f"`{node.key.upper()}` cannot stand in `FROM`", hint="name a dataset, or write a subquery")
        return self._with_joins(source, node.args.get("joins") or [])

    def _dataset(self, node: exp.Expression, alias: exp.Expression | None) -> Source:
        if node.this.key != "identifier":
            what = f"`{node.this.name}(...)`" if node.this.key == "anonymous" else "this"
            raise ExpressionError(f"{what} cannot be read here: only named datasets can", start_of(node.this), _ONLY_DATASETS)
        if node.args.get("db"):
            message = f"`{node.args['db'].name}.{node.name}` cannot be read here: datasets have plain names"
            raise ExpressionError(message, start_of(node), _ONLY_DATASETS)
        understood(self._text, node, "this", "alias", "joins")
        found = self.setting.dataset(node.name)
        if found is None:
            known = list(self.setting.datasets)
            hint = (
                "files are declared as sources, and read by their names"
                if _is_file(node.name)
                else did_you_mean(node.name, known)
            )
            raise ExpressionError(f"there is no dataset `{node.name}`", start_of(node.this), hint)
        name, answer = found
        return self._named(answer, alias, name)

    def _named(self, answer: Answer, alias: exp.Expression | None, name: str | None) -> Source:
        """Rows under an alias, their first columns renamed as in `t(a, b)`."""
        written = list(answer.names)
        if alias is not None:
            written = renamed(alias, written, self._text)
            name = alias.name or name
        return table_source(answer.relation, name, tuple(written), self.names)

    def _check_aliases(self, parts: Sequence[Source], right: Source, node: exp.Expression) -> None:
        taken = {alias.lower() for part in parts for alias in part.aliases}
        for alias in right.aliases:
            if alias.lower() in taken:
                place = node.args.get("alias") or node
                hint = f"give one of them another name: `{alias} as other`"
                raise ExpressionError(f"two tables of this query are called `{alias}`", start_of(place), hint)

    def _follows_comma(self, join: exp.Expression) -> bool:
        """SQLGlot reads `a, b` and `a JOIN b` as the same, so that a forgotten `ON` would silently pair all rows."""
        if any(join.args.get(part) for part in ("on", "using", "side", "kind", "method")):
            return False
        start = start_of(join.this)
        comma, word = bare(self._text).rfind(",", 0, start), keyword_before(self._text, "join", start)
        return word is None or comma > word


def _place_of_join(text: str, join: exp.Expression) -> int:
    start = start_of(join.this)
    return keyword_before(text, (_word(join, "method") or "join").lower(), start) or start


def _word(join: exp.Expression, part: str) -> str:
    return str(join.args.get(part) or "").upper()


def renamed(alias: exp.Expression, names: Sequence[str], text: str) -> list[str]:
    """The columns of a table with an alias such as `t(a, b)`: their names come first, then those that are left."""
    understood(text, alias, "this", "columns")
    columns = alias.args.get("columns") or []
    if len(columns) > len(names):
        message = f"`{alias.name}` has {len(names)} columns, and is given {len(columns)} names"
        raise ExpressionError(message, start_of(columns[len(names)]))
    written = [*(column.name for column in columns), *names[len(columns) :]]
    taken = {name.lower() for name in names[len(columns) :]}
    for column in columns:
        if column.name.lower() in taken:
            raise ExpressionError(f"two columns are called `{column.name}`", start_of(column), "give them different names")
        taken.add(column.name.lower())
    return written


def _is_file(name: str) -> bool:
    return any(mark in name for mark in "./*\\") or suggest(name, ("information_schema",)) is not None
