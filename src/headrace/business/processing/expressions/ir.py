"""Typed expressions: what a rule, a step or a check says, free of any engine. Not text (see `parse`) and not SQL (engines
lower it).

Every node knows its type. Functions are named entries of the closed catalogue in `catalog`; operators are functions too
(`add`, `equal`, `and`). A column is named by the one name that it has in the relation below, so nothing is ever ambiguous.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from headrace.business.processing.tree import Expr as Expr
from headrace.business.processing.tree import Part, Relation
from headrace.records import record


@record
class Constant(Expr):
    """A value written in the text: bool, int, float, decimal.Decimal, str, bytes, date, time, datetime, timedelta or None."""

    value: Any


@record
class ColumnRef(Expr):
    """A column of the relation below; with `outer`, of the relation that a subquery stands in."""

    name: str
    outer: bool = False

    def reads(self) -> str | None:
        return None if self.outer else self.name


@record
class Call(Expr):
    """A scalar function of the catalogue (operators included) on its arguments."""

    function: str
    args: tuple[Expr, ...] = ()


@record
class CastFormat:
    """How text is written that a strict cast reads."""

    pattern: str | None = None
    """A date or time format in `strptime` letters, instead of ISO 8601."""
    decimal_mark: str = "."
    thousands_mark: str | None = None
    true_words: tuple[str, ...] = ("true",)
    false_words: tuple[str, ...] = ("false",)


@record
class Cast(Expr):
    """`value` as `type`, strictly: what does not fit exactly is an error, or null when `lenient`.

    From text only plain notation is read (see `docs/specs/semantics.md`): `5.7`, `1_000` and `0x1F` are not integers.
    """

    value: Expr
    lenient: bool = False
    format: CastFormat = CastFormat()


@record
class Case(Expr):
    """The value of the first branch whose condition is true, else `otherwise`."""

    branches: tuple[tuple[Expr, Expr], ...]
    otherwise: Expr


@record
class SortKey(Part):
    """An ordering that always says where nulls go."""

    expression: Expr
    descending: bool = False
    nulls_first: bool = False


@record
class Aggregate(Expr):
    """An aggregate function of the catalogue over the rows of a group, of those only for which `where` is true."""

    function: str
    args: tuple[Expr, ...] = ()
    distinct: bool = False
    where: Expr | None = None
    order_by: tuple[SortKey, ...] = ()


Bound = tuple[Literal["unbounded_preceding", "preceding", "current_row", "following", "unbounded_following"], Expr | None]


@record
class Frame(Part):
    """The rows around the current one that a window function sees."""

    unit: Literal["rows", "range"] = "rows"
    start: Bound = ("unbounded_preceding", None)
    end: Bound = ("current_row", None)


@record
class Window(Expr):
    """An aggregate or ranking function over a window of rows."""

    call: Expr
    partition_by: tuple[Expr, ...] = ()
    order_by: tuple[SortKey, ...] = ()
    frame: Frame | None = None


@record
class Subquery(Expr):
    """`exists (...)`, `value in (...)`, or the single value of a query (null when it has no row)."""

    kind: Literal["exists", "in", "scalar"]
    relation: Relation
    value: Expr | None = None

    def relations(self) -> Iterator[Relation]:
        yield self.relation
