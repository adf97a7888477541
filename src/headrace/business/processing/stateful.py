"""Relations that need more than the row at hand, as a stream has to know them: by their parts. What they mean in a batch stands beside, in
nodes that every engine has. Not how state is kept.
"""

from __future__ import annotations

from typing import Literal

from headrace.business.model.windows import Emit
from headrace.business.processing.expressions.ir import Expr, SortKey
from headrace.business.processing.relation import Dataset, Project, Relation, Rows
from headrace.records import record


@record
class Span:
    """The windows of time that rows are in, in microseconds since the start of 1970."""

    kind: Literal["tumbling", "sliding", "session", "moment"]
    """Of a moment: the rows that happened at the same one are together, and no bounds are given out."""
    time: Expr
    """When a row happened, in columns of the rows: int64, null for a row that is in no window."""
    length: int
    """Of a window; of a session, the silence that ends it."""
    every: int
    """How far apart windows begin: as far as they are long, unless they slide."""
    start: str
    end: str
    """What the columns of the bounds are called; of a moment, the key that holds it."""
    zone: bool
    """Whether the bounds are instants, as the times are."""


@record
class Groups:
    """Rows in groups of equal keys (nulls are equal), each in windows of time if there are any."""

    rows: Relation
    keys: tuple[tuple[str, Expr], ...]
    measures: tuple[tuple[str, Expr], ...]
    window: Span | None
    emit: Emit
    lateness: int
    """Microseconds: how long after its end a window is kept open."""

    @property
    def reads(self) -> frozenset[str]:
        """The columns of the rows that it needs."""
        time = () if self.window is None else (self.window.time,)
        return frozenset(name for e in (*time, *(e for _, e in (*self.keys, *self.measures))) for name in e.columns())


@record
class Copies:
    """Rows of which one of the same key is let through, and then none until there was none for so long. A null equals nothing."""

    rows: Relation
    key: tuple[str, ...]
    time: str
    """The column that says when a row happened."""
    within: int
    """Microseconds."""


@record
class Reach:
    """How far in time the partners of a row may be."""

    time: str
    """The column that says when the row happened."""
    until: Expr
    """The last moment at which a partner may have happened, in columns of the row: microseconds, null where there is none."""
    beyond: int | None
    """How much later than the row that is, where it is the same for all rows."""
    column: str | None = None
    """The column that holds this moment, where one does."""


@record
class Pairs:
    """Rows of two datasets side by side whose times are near enough; whatever their times, where there is no `reach`."""

    left: Dataset
    right: Dataset
    reach: tuple[Reach, Reach] | None
    """Of rows of the left, and of the right."""
    option: str | None
    """What the definition said of time; None where it follows from what is matched."""
    found: Relation
    """The pairs, of the two datasets."""
    alone: Relation | None
    """The rows of the left that have no partner, where these are wanted."""
    whole: Relation
    """What the join gives: the pairs, and the rows without a partner."""

    def reach_of(self, side: Dataset) -> Reach | None:
        return None if self.reach is None else self.reach[side.name != self.left.name]


@record
class Sequences:
    """Rows in the order of time, each beside what is computed of it and of those before it in its partition. Nulls are equal."""

    rows: Dataset
    partition: tuple[Expr, ...]
    order: tuple[SortKey, ...]
    time: str
    """The column that the order begins with."""
    back: int
    """How many rows before a row are looked at."""
    span: int
    """How long before a row those may have happened that are looked at, in microseconds."""
    whole: Project
    """What each row becomes."""


@record
class LateRows:
    """The rows that came too late for a step, on one of its sides if it has several. In a batch no row is late."""

    step: str
    side: str = ""


@record
class Stateful(Relation):
    """What `input` gives in a batch, and what a stream computes by parts of `meaning`."""

    input: Relation
    meaning: Groups | Copies | Pairs | Sequences | LateRows

    @property
    def rows(self) -> Rows:
        return "same"

    @property
    def inputs(self) -> tuple[Relation, ...]:
        return (self.input,)
