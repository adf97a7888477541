"""Prints one relation in the SQL of a dialect, for the engine to run and for people to read. It decides nothing: the tree says it all.

What is printed is meant to look as if written by hand: nodes that can share a SELECT do (see `folding`), `*` stands
for columns that pass as they are, and everything else is in the order of the tree.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from headrace.business.processing.expressions.build import conjuncts
from headrace.business.processing.expressions.ir import Call, ColumnRef, Constant, Expr, SortKey, Subquery, Window
from headrace.business.processing.relation import (
    Dataset,
    Dedupe,
    Filter,
    Function,
    Join,
    Limit,
    Project,
    Relation,
    Sample,
    SetOperation,
    Sort,
    Unnest,
    Unpivot,
    Values,
    expressions,
)
from headrace.infrastructure.engines.sql.block import Block, SourceColumn, is_column, outer_names, shadowing
from headrace.infrastructure.engines.sql.columns import select_list
from headrace.infrastructure.engines.sql.dedupe import Rows, dedupe_text, repeated_keys, unused
from headrace.infrastructure.engines.sql.dialect import Dialect
from headrace.infrastructure.engines.sql.expressions import ExpressionPrinter
from headrace.infrastructure.engines.sql.folding import fold
from headrace.infrastructure.engines.sql.layout import Clauses, bare, indented, nested

_JOINS = {"inner": "JOIN", "left": "LEFT JOIN", "right": "RIGHT JOIN", "full": "FULL JOIN", "cross": "CROSS JOIN"}
_SETS = {"union_all": "UNION ALL", "intersect": "INTERSECT", "except": "EXCEPT"}


class RelationPrinter:
    """Prints relations whose datasets are read from `tables`: by name, what stands after FROM and gives exactly those
    columns of the dataset that anything needs (a quoted table, `read_parquet(...)`, a query in parentheses). A dataset that
    is not there is a CTE of its name; `light` are those CTEs that cost little to compute again.

    `repeated` names the tables where the repeating keys of a dedupe are already known, and `orders` says how the rows of a
    dataset are meant to be ordered: an order is not kept by tables, it is stated again where it matters.
    """

    def __init__(
        self,
        dialect: Dialect,
        tables: Mapping[str, str],
        repeated: Mapping[Dedupe, str] | None = None,
        orders: Mapping[str, Sequence[SortKey]] | None = None,
        light: Collection[str] = (),
    ) -> None:
        self._dialect = dialect
        self._tables, self._repeated, self._orders, self._light = tables, repeated or {}, orders or {}, light
        self._expressions = ExpressionPrinter(dialect, self._subquery)

    def query(self, relation: Relation) -> str:
        """A SELECT (never a WITH, so that one may be put in front of it)."""
        text = self.body(fold(relation, self._orders))
        return Clauses(self._named(text, [])).text() if text.startswith("WITH ") else text

    def duplicates(self, dedupe: Dedupe) -> str:
        """The keys that several rows share, with the number of those rows as `n`."""
        return repeated_keys(self._source(dedupe.input, []), dedupe.key, self._dialect.identifier)

    def body(self, block: Block) -> str:
        """The text of a block, as a CTE may hold it."""
        if block.bare and (whole := self._whole(block.source)):
            return whole
        if self._dialect.aliases_capture and (names := shadowing(block)):
            return self._renamed(block, names)
        order = list(block.order)
        if block.limit and order:
            order += _ties(block)
        source, order = self._qualified(block, order)
        return Clauses(
            source=source,
            columns=select_list(block, self._sql, self._dialect),
            distinct=block.distinct,
            where=self._conditions(block.where),
            group=[self._group_key(key) for key in block.keys or ()],
            having=self._conditions(block.having),
            order=[self._sort_key(key, block) for key in order],
            limit=_limit(block.limit),
        ).text()

    def _renamed(self, block: Block, names: Sequence[str]) -> str:
        """A block that makes these columns under other names first, so that nothing in it can mean them by mistake."""
        taken = [*_names_below(block.source), *(name for name, _ in block.columns or ())]
        other = {name: unused(f"made {name}", taken) for name in names}
        columns = tuple((other.get(name, name), e) for name, e in block.columns or ())
        order = tuple(
            replace(key, expression=replace(e, name=other[e.name]))
            if isinstance(e := key.expression, ColumnRef) and e.name in other
            else key
            for key in block.order
        )
        inner = self._named(self.body(replace(block, columns=columns, order=order)), [])
        identifier = self._dialect.identifier
        listed = [
            identifier(name) if name not in other else f"{identifier(other[name])} AS {identifier(name)}"
            for name, _ in block.columns or ()
        ]
        return Clauses(inner, listed).text()

    # FROM --------------------------------------------------------------------------------------------------------

    def _source(self, relation: Relation, names: list[str]) -> str:
        """What stands after FROM. `names` are those already taken there."""
        match relation:
            case Dataset():
                fragment, name = self._fragment(relation.name), unused(relation.name, names)
                names.append(name)
                return (
                    fragment
                    if fragment == self._dialect.identifier(name)
                    else f"{fragment} AS {self._dialect.identifier(name)}"
                )
            case Join():
                return self._join(relation, names)
            case Unpivot():
                return self._unpivot(relation, names)
            case _:
                block = fold(relation, self._orders)
                if not block.limit and not any(isinstance(node, Sort) for node in relation.walk()):
                    block = replace(block, order=())
                return self._named(self.body(block), names)

    def _named(self, query: str, names: list[str]) -> str:
        """A query in parentheses, under a name where one is asked for."""
        if not self._dialect.names_subqueries:
            return nested(query)
        names.append(unused("rows", names))
        return f"{nested(query)} AS {self._dialect.identifier(names[-1])}"

    def _qualified(self, block: Block, order: list[SortKey]) -> tuple[str, list[SortKey]]:
        """What stands after FROM, under a name if the order needs one to tell a column of it from one of the result."""
        relation = block.source
        # The name of a table would capture a column of that name in a query around.
        names = sorted(set().union(*outer_names(block)))
        source = self._source(relation, names)
        if not any(isinstance(key.expression, SourceColumn) for key in order):
            return source, order
        has_name = isinstance(relation, Dataset) or (self._dialect.names_subqueries and not self._is_join(relation))
        if not has_name:
            names = [unused("rows", names)]
            whole = nested(Clauses(source).text()) if isinstance(relation, Join | Unpivot) else source
            source = f"{whole} AS {self._dialect.identifier(names[-1])}"
        named = (replace(e, of=names[-1]) if isinstance(e := key.expression, SourceColumn) else e for key in order)
        return source, [replace(key, expression=e) for key, e in zip(order, named, strict=True)]

    def _fragment(self, dataset: str) -> str:
        return self._tables.get(dataset, self._dialect.identifier(dataset))

    def _join(self, join: Join, names: list[str]) -> str:
        left = self._source(join.left, names)
        right = self._source(join.right, names)
        if self._is_join(join.right):
            right = f"(\n{indented(right)}\n)"
        condition = "true" if join.condition is None else bare(self._condition(join.condition))
        if join.how == "semi" or join.how == "anti":
            return self._derived(join.how, self._dialect.half_join(left, right, condition, join.how), names)
        on = "" if join.how == "cross" else f" ON {condition}"
        return f"{left}\n{_JOINS[join.how]} {right}{on}"

    def _unpivot(self, unpivot: Unpivot, names: list[str]) -> str:
        return self._derived("unpivot", self._dialect.unpivot(self._source(unpivot.input, names), unpivot), names)

    def _derived(self, kind: str, text: str, names: list[str]) -> str:
        return self._named(text, names) if kind in self._dialect.derives else text

    def _is_join(self, relation: Relation) -> bool:
        """Whether what stands after FROM for it is several things side by side."""
        kind = relation.how if isinstance(relation, Join) else "unpivot"
        return isinstance(relation, Join | Unpivot) and kind not in self._dialect.derives

    # Relations that are no clause of a SELECT ----------------------------------------------------------------------

    def _whole(self, relation: Relation) -> str | None:
        match relation:
            case SetOperation():
                return self._set_operation(relation)
            case Values():
                return self._values(relation)
            case Unnest():
                return self._unnest(relation)
            case Sample():
                return self._sample(relation)
            case Dedupe():
                return self._dedupe(relation)
            case Function():
                raise ValueError(f"{relation.label} is a function: its result has to be stored before it can be read")
            case _:
                return None

    def _set_operation(self, operation: SetOperation) -> str:
        parts = []
        for part in operation.parts:
            block = fold(part, self._orders)
            block = block if block.limit else replace(block, order=())
            text = self.body(block)
            single = not block.limit and not (block.bare and isinstance(block.source, SetOperation | Dedupe | Sample))
            parts.append(text if single else nested(text))
        return f"\n{_SETS[operation.kind]}\n".join(parts)

    def _values(self, values: Values) -> str:
        types = [self._dialect.type_name(column.type) for column in values.schema]
        rows = (", ".join(f"CAST({self._sql(e)} AS {t})" for e, t in zip(row, types, strict=True)) for row in values.tuples)
        names = ", ".join(self._dialect.identifier(column.name) for column in values.schema)
        tuples = ",\n".join(f"({row})" for row in rows)
        return Clauses(f"(VALUES\n{indented(tuples)}\n) AS {self._dialect.identifier('values')}({names})").text()

    def _unnest(self, unnest: Unnest) -> str:
        identifier = self._dialect.identifier
        items = self._dialect.unnest(identifier(unnest.column), unnest.input.schema[unnest.column].type, unnest.keep_empty)
        item = f"{items} AS {identifier(unnest.into)}"
        columns = [item if c.name == unnest.into else identifier(c.name) for c in unnest.schema]
        return Clauses(self._source(unnest.input, []), columns).text()

    def _sample(self, sample: Sample) -> str:
        """A number of rows: those with the least lots, so that the same rows always give the same sample."""
        order = (SortKey(sample.lot), *(SortKey(ColumnRef(c.type, c.name)) for c in sample.schema))
        return self.body(Block(sample.input, order=order, limit=Limit(sample.schema, sample.input, sample.count)))

    def _dedupe(self, dedupe: Dedupe) -> str:
        order = [self._sort_key(key) for key in dedupe.order]
        stored = " ".join((*self._tables.values(), *self._repeated.values()))
        taken = {*dedupe.datasets(), *self._tables, *re.findall(r"\w+", stored)}
        return dedupe_text(dedupe.key, order, self._rows(dedupe.input), self._repeated.get(dedupe), taken, self._dialect)

    def _rows(self, relation: Relation) -> Rows:
        if isinstance(relation, Dataset) and not (source := self._fragment(relation.name)).startswith("("):
            return Rows(source, query=False)
        block = fold(relation, self._orders)
        block = block if block.limit else replace(block, order=())
        return Rows(self.body(block), query=True, kept=not self.light(relation))

    def light(self, relation: Relation) -> bool:
        """Whether computing it again costs little: only row by row, over what is stored."""
        return all(
            isinstance(node, Dataset) and (node.name in self._tables or node.name in self._light)
            if not isinstance(node, Project | Filter)
            else not any(isinstance(e, Subquery | Window) for whole in expressions(node) for e in whole.walk())
            for node in relation.walk()
        )

    # Expressions -------------------------------------------------------------------------------------------------

    def _conditions(self, conditions: Sequence[Expr]) -> list[str]:
        parts = [part for condition in conditions for part in conjuncts(condition)]
        texts = zip(parts, map(self._condition, parts), strict=True)
        return [text if len(parts) > 1 and _is_call(part, "or") else bare(text) for part, text in texts]

    def _group_key(self, key: Expr) -> str:
        # A bare number would mean a column's position.
        return f"(SELECT {self._sql(key)})" if isinstance(key, Constant) else self._sql(key)

    def _sort_key(self, key: SortKey, block: Block | None = None) -> str:
        return f"{self._sorted(key.expression, block)}{' DESC' if key.descending else ''} NULLS {'FIRST' if key.nulls_first else 'LAST'}"

    def _sorted(self, expression: Expr, block: Block | None) -> str:
        """What a key sorts by. What the SELECT computes under a name, or compares as a whole, is in our order already."""
        sql = bare(self._sql(expression))
        if block is not None and isinstance(expression, ColumnRef):
            made = block.result(expression.name)
            if block.distinct or (made is not None and not is_column(made, expression.name)):
                return sql
        return self._dialect.ordered(sql, expression.type)

    def _condition(self, expression: Expr) -> str:
        return self._expressions.condition(expression)

    def _sql(self, expression: Expr) -> str:
        if isinstance(expression, SourceColumn):
            return f"{self._dialect.identifier(expression.of)}.{self._dialect.identifier(expression.name)}"
        return self._expressions.sql(expression)

    def _subquery(self, relation: Relation) -> str:
        text = self.query(relation)
        return f"\n{indented(text)}\n" if "\n" in text else text


def _names_below(relation: Relation) -> set[str]:
    return {name for node in relation.walk() for name in node.schema.names}


def _limit(limit: Limit | None) -> str | None:
    if limit is None:
        return None
    parts = ([f"LIMIT {limit.count}"] if limit.count is not None else []) + ([f"OFFSET {limit.offset}"] if limit.offset else [])
    return " ".join(parts)


def _ties(block: Block) -> list[SortKey]:
    """All other columns of the result, so that rows that tie are cut off in the same place every time."""
    stated = {key.expression.name for key in block.order if isinstance(key.expression, ColumnRef)}
    columns = (
        [(n, e.type) for n, e in block.columns]
        if block.columns is not None
        else [(c.name, c.type) for c in block.source.schema]
    )
    return [SortKey(ColumnRef(kind, name)) for name, kind in columns if name not in stated]


def _is_call(expression: Expr, function: str) -> bool:
    return isinstance(expression, Call) and expression.function == function
