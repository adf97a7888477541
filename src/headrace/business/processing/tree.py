"""The two kinds of tree that a plan is made of, which may contain each other: expressions (see `expressions.ir` for their
nodes) and relations (see `relation`). Only what is true of every node; not one node itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from functools import cache
from typing import Any, Literal

from headrace.business.model.schema import Schema
from headrace.business.model.types import DataType
from headrace.records import record

#: What a node does to the number of rows: as many as came in, at most as many, or anything.
Rows = Literal["same", "fewer", "any"]


@record
class Expr:
    """An expression of a type."""

    type: DataType

    def children(self) -> Iterator[Expr]:
        return iter(_held(self))

    def walk(self) -> Iterator[Expr]:
        """This node and all below it, each before those that it holds."""
        waiting: list[Expr] = [self]
        while waiting:
            yield (node := waiting.pop())
            waiting.extend(reversed(_held(node)))

    def relations(self) -> Iterator[Relation]:
        """The relations that this node holds: that of a subquery. Not those of its children."""
        return iter(())

    def columns(self) -> frozenset[str]:
        """The names of the columns of the relation below that this reads."""
        return frozenset(name for node in self.walk() if (name := node.reads()) is not None)

    def reads(self) -> str | None:
        """The column of the relation below that this very node stands for, if it is one."""
        return None

    def map(self, change: Callable[[Expr], Expr]) -> Expr:
        """The same tree with `change` applied to every node, leaves first."""
        changed = {f.name: _mapped(getattr(self, f.name), change) for f in fields(self)}
        return change(replace(self, **changed))


@record
class Part:
    """What is no expression but holds some: a sort key, the frame of a window."""


@record
class Relation:
    """Rows of a schema. Columns have unique names."""

    schema: Schema

    @property
    def rows(self) -> Rows:
        return "any"

    @property
    def inputs(self) -> tuple[Relation, ...]:
        return ()

    def walk(self) -> Iterator[Relation]:
        yield self
        for below in self.inputs:
            yield from below.walk()

    def datasets(self) -> tuple[str, ...]:
        """The names of the datasets that this reads, each once, in order (subqueries included)."""
        return tuple(dict.fromkeys(self.reads()))

    def reads(self) -> Iterator[str]:
        """The names of the datasets below, as often as they are read."""
        for below in (*subqueries(self), *self.inputs):
            yield from below.reads()


def expressions(relation: Relation) -> Iterator[Expr]:
    """The expressions of one node, not of those below it."""
    return iter(_held(relation))


def subqueries(relation: Relation) -> Iterator[Relation]:
    """The relations inside the expressions of one node."""
    waiting = _held(relation)[::-1]
    while waiting:
        node = waiting.pop()
        yield from node.relations()
        waiting.extend(reversed(_held(node)))


#: Types of fields, as they are written, that hold no expression.
_PLAIN = {"DataType", "Schema", "str", "str | None", "bool", "int", "int | None", "float | None", "CastFormat"}


@cache
def _holders(kind: Any) -> tuple[str, ...]:
    """The fields in which nodes of a kind may hold expressions. Asked for millions of times when a pipeline has many steps."""
    return tuple(field.name for field in fields(kind) if field.type not in _PLAIN)


def _held(node: Expr | Part | Relation) -> list[Expr]:
    found: list[Expr] = []
    kind: Any = type(node)
    for name in _holders(kind):
        _gather(getattr(node, name), found)
    return found


def _gather(value: Any, found: list[Expr]) -> None:
    if isinstance(value, Expr):
        found.append(value)
    elif isinstance(value, tuple):
        for item in value:
            if isinstance(item, Expr):
                found.append(item)
            elif type(item) is not str:
                _gather(item, found)
    elif isinstance(value, Part):
        found.extend(_held(value))


def _mapped(value: Any, change: Callable[[Expr], Expr]) -> Any:
    if isinstance(value, Expr):
        return value.map(change)
    if isinstance(value, Part):
        return replace(value, **{f.name: _mapped(getattr(value, f.name), change) for f in fields(value)})
    if isinstance(value, tuple):
        return tuple(_mapped(item, change) for item in value)
    return value
