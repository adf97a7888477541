"""Relations: what a step makes of its inputs, as a small tree of plain nodes. Not how an engine computes it.

The leaves are named datasets (the good rows of a source, or another step), so a step is one short tree, a pipeline is a
graph of them, and an engine may fuse as many as it likes into one statement. Each node knows its schema and what it
may do to the number of rows. A step's author builds trees with these nodes and with nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal

from headrace.business.model.schema import Column, Schema
from headrace.business.processing.expressions.ir import ColumnRef, Expr, SortKey
from headrace.business.processing.tree import Relation as Relation
from headrace.business.processing.tree import Rows as Rows
from headrace.business.processing.tree import expressions as expressions
from headrace.business.processing.tree import subqueries as subqueries
from headrace.records import record


@record
class Dataset(Relation):
    """A named dataset: the good rows of a source, or the result of a step."""

    name: str
    time: str | None = None
    """The column that says when a row happened, where the source has a watermark and the column was passed on."""
    times: tuple[str, ...] = ()
    """All columns of which a stream knows how late rows may come by them: that one, the bounds of windows, and what was made of these."""

    @property
    def rows(self) -> Rows:
        return "same"

    def reads(self) -> Iterator[str]:
        yield self.name


@record
class Values(Relation):
    """Rows that are written out (at least one): of each, one expression without columns for every column of the schema."""

    tuples: tuple[tuple[Expr, ...], ...]

    @property
    def rows(self) -> Rows:
        return "same"


@record
class _Over(Relation):
    """A node over one input."""

    input: Relation

    @property
    def inputs(self) -> tuple[Relation, ...]:
        return (self.input,)


@record
class Project(_Over):
    """Each row becomes one of these named expressions (window functions allowed)."""

    columns: tuple[tuple[str, Expr], ...]

    @property
    def rows(self) -> Rows:
        return "same"


@record
class Filter(_Over):
    """The rows for which the condition is true."""

    condition: Expr

    @property
    def rows(self) -> Rows:
        return "fewer"


@record
class Distinct(_Over):
    """Each different row once; nulls are equal to each other."""

    @property
    def rows(self) -> Rows:
        return "fewer"


@record
class Dedupe(_Over):
    """Of the rows that share a key, the first in the order. A row with a null in its key has no duplicates and stays."""

    key: tuple[str, ...]
    order: tuple[SortKey, ...]

    @property
    def rows(self) -> Rows:
        return "fewer"


@record
class Sort(_Over):
    keys: tuple[SortKey, ...]

    @property
    def rows(self) -> Rows:
        return "same"


@record
class Limit(_Over):
    count: int | None
    offset: int = 0

    @property
    def rows(self) -> Rows:
        return "fewer"


@record
class Sample(_Over):
    """A repeatable sample: the rows that a condition on their lots holds of, or a number of those with the least lots (see `lots`)."""

    lot: Expr
    drawn: Expr | None
    count: int | None

    @property
    def rows(self) -> Rows:
        return "fewer"


@record
class GroupBy(_Over):
    """One row per group of equal keys (nulls are equal); without keys, one row in all."""

    keys: tuple[tuple[str, Expr], ...]
    measures: tuple[tuple[str, Expr], ...]


@record
class Unnest(_Over):
    """One row per item of a list column, the item in `into`; a row with an empty list or null stays if `keep_empty`."""

    column: str
    into: str
    keep_empty: bool = False


@record
class Unpivot(_Over):
    """One row per row and column: its name goes to `name_to`, its value to `value_to`. Nulls are kept if `keep_nulls`."""

    columns: tuple[str, ...]
    name_to: str
    value_to: str
    keep_nulls: bool = False


@record
class Join(Relation):
    """Rows of two inputs, whose column names differ, put side by side where the condition is true.

    `semi` and `anti` keep the left rows that have, or have not, a partner. With `single`, a left row has at most one
    partner, which the run checks before it joins.
    """

    left: Relation
    right: Relation
    how: Literal["inner", "left", "right", "full", "cross", "semi", "anti"]
    condition: Expr | None
    single: bool = False

    @property
    def rows(self) -> Rows:
        if self.how in ("semi", "anti") or (self.single and self.how == "inner"):
            return "fewer"
        return "same" if self.single and self.how == "left" else "any"

    @property
    def inputs(self) -> tuple[Relation, ...]:
        return (self.left, self.right)


@record
class SetOperation(Relation):
    """All rows of several inputs with equal schemas one after another, or the rows common to, or missing from, them."""

    parts: tuple[Relation, ...]
    kind: Literal["union_all", "intersect", "except"] = "union_all"

    @property
    def inputs(self) -> tuple[Relation, ...]:
        return self.parts


@record
class Function(Relation):
    """What a Python function makes of its inputs, as Arrow tables. Opaque: nothing is fused through it."""

    parts: tuple[Relation, ...]
    call: Callable[..., Any]
    label: str

    @property
    def inputs(self) -> tuple[Relation, ...]:
        return self.parts


def columns_of(columns: tuple[tuple[str, Expr], ...], below: Schema) -> Schema:
    """The schema of named expressions; a column that is passed on as it is keeps its nullability and classification."""

    def column(name: str, expression: Expr) -> Column:
        if isinstance(expression, ColumnRef) and not expression.outer and expression.name in below:
            source = below[expression.name]
            return Column(name, expression.type, source.nullable, source.classification)
        classes = {below[c].classification for c in expression.columns() if c in below} - {None}
        return Column(name, expression.type, True, min(classes, key=str) if classes else None)

    return Schema(tuple(column(name, e) for name, e in columns))
