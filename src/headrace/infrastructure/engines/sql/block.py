"""One SELECT as its clauses, not yet text: what each means, and which names it could take from the queries around it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from headrace.business.processing.expressions.ir import ColumnRef, Expr, SortKey
from headrace.business.processing.relation import Join, Limit, Relation, expressions
from headrace.records import record

Columns = tuple[tuple[str, Expr], ...]


@record
class SourceColumn(Expr):
    """A column of what is read, where the result has another column of its name; `of` is what stands after FROM."""

    name: str
    of: str = ""


@dataclass(frozen=True)
class Block:
    """The clauses of one SELECT.

    A sort key that is a bare column means the column of that name in the result, or in the source if the result has
    none; any other sort key is written in columns of the source. That is how DuckDB reads ORDER BY.
    """

    source: Relation
    columns: Columns | None = None
    """None: those of the source, as they are."""
    where: tuple[Expr, ...] = ()
    keys: tuple[Expr, ...] | None = None
    having: tuple[Expr, ...] = ()
    distinct: bool = False
    order: tuple[SortKey, ...] = ()
    limit: Limit | None = None

    @property
    def bare(self) -> bool:
        return self == Block(self.source)

    def expressions(self) -> Iterator[Expr]:
        yield from (e for _, e in self.columns or ())
        yield from (*self.where, *(self.keys or ()), *self.having, *(key.expression for key in self.order))

    def result(self, name: str) -> Expr | None:
        """What the result calls `name`, in columns of the source."""
        if self.columns is None:
            return ColumnRef(self.source.schema[name].type, name) if name in self.source.schema else None
        return self.meanings.get(name)

    @cached_property
    def meanings(self) -> Mapping[str, Expr]:
        """The columns that it has instead of its source's, by name."""
        return dict(self.columns or ())


def visible_order(block: Block) -> tuple[SortKey, ...] | None:
    """The block's order in columns of its result; None when some of it cannot be seen there."""

    def seen(key: SortKey) -> bool:
        if isinstance(key.expression, ColumnRef):
            return block.result(key.expression.name) is not None
        names = key.expression.columns()
        return bool(names) and all(is_column(block.result(name), name) for name in names)

    return block.order if all(seen(key) for key in block.order) else None


def outer_names(block: Block) -> tuple[set[str], set[str]]:
    """The columns of queries around that a block reads: by itself, and from inside of its subqueries (which may also mean
    its own columns). In lower case, as SQL compares them."""
    nodes = [node for e in block.expressions() for node in e.walk()]
    direct = {node.name.lower() for node in nodes if isinstance(node, ColumnRef) and node.outer}
    return direct, {name for node in nodes for inner in node.relations() for name in _outer_below(inner)}


def _outer_below(relation: Relation) -> Iterator[str]:
    for node in relation.walk():
        for expression in expressions(node):
            for part in expression.walk():
                if isinstance(part, ColumnRef) and part.outer:
                    yield part.name.lower()
                for inner in part.relations():
                    yield from _outer_below(inner)


def captures(block: Block) -> bool:
    """Whether a name that means a column of a query around would find one here: of the source, or of the result."""
    direct, inner = outer_names(block)
    if not direct and not inner:
        return False
    source = {name.lower() for name in _in_scope(block.source)}
    made = {name.lower() for name, e in block.columns or () if not is_column(e, name)}
    return bool(direct & (source | made) or (inner - source) & made)


def _in_scope(relation: Relation) -> Iterator[str]:
    if isinstance(relation, Join):
        yield from (*_in_scope(relation.left), *_in_scope(relation.right))
    else:
        yield from relation.schema.names


def is_column(expression: Expr | None, name: str) -> bool:
    return isinstance(expression, ColumnRef) and not expression.outer and expression.name == name


def shadowing(block: Block) -> tuple[str, ...]:
    """The columns that a block makes under the name of one of its source, which something else in it reads."""
    there = {name.lower() for name in _in_scope(block.source)}
    conditions = [node.condition for node in block.source.walk() if isinstance(node, Join) and node.condition is not None]
    around = {name.lower() for e in (*block.where, *(block.keys or ()), *block.having, *conditions) for name in e.columns()}
    made = {name: {read.lower() for read in e.columns()} for name, e in block.columns or () if not is_column(e, name)}
    every = [(name, {read.lower() for read in e.columns()}) for name, e in block.columns or ()]
    return tuple(
        name
        for name in made
        if name.lower() in there
        and (name.lower() in around or any(name.lower() in reads for other, reads in every if other != name))
    )
