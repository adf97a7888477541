"""What an engine says in its own way: the one thing that the printers of this room are given. It has no words of any engine."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Literal

from headrace.business.model.types import DataType
from headrace.business.processing.expressions.ir import Aggregate, Call, Cast
from headrace.business.processing.relation import Unpivot
from headrace.records import record

#: How a function is called: a template that names the arguments `{0}`, `{1}`, or a function where types and literals matter.
Lowering = str | Callable[[Call, Sequence[str]], str]
#: A `*` without the names that it leaves out, and with what it replaces (`text AS name`).
Star = Callable[[Sequence[str], Sequence[str]], str]


@record
class DedupeParts:
    """What the choice of one row for each repeated key is made of, each part printed already."""

    source: str
    key: Sequence[str]
    order: Sequence[str]
    repeated: str
    """What stands after FROM and gives the keys that repeat, under their names."""


@record
class Dialect:
    """One engine's SQL. Every function here takes printed parts and gives text; none looks at data."""

    engine: str
    identifier: Callable[[str], str]
    literal: Callable[[Any, DataType], str]
    type_name: Callable[[DataType], str]

    functions: Mapping[str, Lowering]
    """An entry for each scalar function of the catalogue; one without an entry is refused by `plan_problems`."""
    aggregates: Collection[str]
    aggregate: Callable[[Aggregate, Sequence[str], str | None, str, str], str]
    """An aggregate of printed arguments, its condition (or None), its order (or an empty text), and ` OVER (...)` (or an empty text)."""
    cast: Callable[[Cast, str], str]

    ordered: Callable[[str, DataType], str]
    """What has to be sorted by, so that values of this type come in our order."""
    equated: Callable[[str, DataType], str]
    """What has to be compared with the items of a subquery, so that values of this type are equal when we say so."""
    column: Callable[[str, DataType], str]
    """A column that a SELECT computes, so that its order further on is ours."""
    star: Star | None
    """None where `*` is always all columns as they are."""
    names_subqueries: bool
    """Whether a query after FROM has to have a name."""
    half_join: Callable[[str, str, str, Literal["semi", "anti"]], str]
    """The rows of the left that have, or have not, a partner on the right under a condition: what stands after FROM."""
    unpivot: Callable[[str, Unpivot], str]
    """What stands after FROM for an unpivot of a printed source."""
    derives: Collection[str]
    """Which of `semi`, `anti` and `unpivot` are printed as a query of their own in parentheses, and so need a name."""
    unnest: Callable[[str, DataType, bool], str]
    """The items of a list column, a row each; with True, one null for an empty list or none."""
    dedupe: Callable[[DedupeParts], tuple[str, str]]
    """The rows whose key is shared by no other, and of the others the first of each key."""
    aliases_capture: bool = False
    """Whether a name that a SELECT gives may be meant where a column of that name is read beside it."""
    valued: Callable[[Literal["exists", "in"], str], str] = lambda _, test: test
    """A test of rows by a query, where its value is asked for (which may be null) and not just whether it holds."""
    frameless: Collection[str] = ()
    """Window functions to which a frame means nothing, and beside which the engine takes none, but always an order."""
    materializes: bool = True
    """Whether a CTE may say that it is to be kept, or not to be."""

    def kept(self, whole: bool, /) -> str:
        """What is said of a CTE that is read several times: to be kept as a whole, or computed again."""
        return f"{'' if whole else 'NOT '}MATERIALIZED " if self.materializes else ""
