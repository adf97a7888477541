"""What a stream keeps to look back from row to row in the order of time: the rows that wait for those before them, and the last ones of
each partition. As relations; not how an engine runs them.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from headrace.business.model.schema import Column, Schema
from headrace.business.model.types import Boolean
from headrace.business.processing.expressions.build import all_of, column, test
from headrace.business.processing.expressions.ir import Aggregate, Call, Expr, SortKey, Window
from headrace.business.processing.relation import Filter, Join, Project, Relation
from headrace.business.processing.stateful import Sequences
from headrace.business.processing.steps.event_windows import (
    TIME,
    WHOLE,
    add,
    grouped_by,
    microseconds,
    number,
    whole,
    with_columns,
)
from headrace.business.processing.steps.projection import as_they_are, project, ref
from headrace.business.streams.groups import BEFORE, HORIZON, HORIZON_AT, KEPT, LATE, WATERMARK, late_of, surely
from headrace.business.streams.slots import SLOT, SLOT_TYPE, slot_of

#: How many rows of its partition come behind a row, itself included.
_FROM_END = "#:from end"


@dataclass(frozen=True)
class KeptSequences:
    """The rows of one step. `behind` is how much later than their time they may come to it."""

    sequences: Sequences
    of: Schema
    behind: int = 0

    @property
    def meaning(self) -> object:
        """What decides whether what was kept can be gone on with."""
        kept = self.sequences
        return kept.partition, kept.order, kept.back, kept.span

    @property
    def kept_schema(self) -> Schema:
        return Schema((*self.sequences.rows.schema, Column(TIME, WHOLE), Column(SLOT, SLOT_TYPE)))

    # Rows that come --------------------------------------------------------------------------------------------------

    def taken(self, rows: Relation, side: str = "") -> Relation:  # noqa: ARG002 - there is one
        """What is kept of rows; where `LATE` is true, of those that came too late."""
        placed = with_columns(self._placed(rows), {SLOT: slot_of(self.sequences.partition)})
        return project(placed, {LATE: column(LATE, Boolean()), **as_they_are(self.kept_schema)})

    def late(self, rows: Relation, columns: Collection[str], side: str = "") -> Relation:  # noqa: ARG002
        """The rows that came too late, with these columns of theirs behind `LATE`."""
        return late_of(self._placed(rows), columns)

    def _placed(self, rows: Relation) -> Relation:
        timed = with_columns(rows, {TIME: microseconds(ref(rows.schema[self.sequences.time]))})
        return with_columns(timed, {LATE: surely(test("less", whole(TIME), whole(WATERMARK)))})

    # What is kept ----------------------------------------------------------------------------------------------------

    def closed(self, kept: Relation) -> Relation:
        """What becomes of the rows before which none can come any more at `HORIZON`, and could at `BEFORE`."""
        known = self._touched(self._known(kept))
        each = project(known, {**dict(self.sequences.whole.columns), TIME: whole(TIME)})
        new = Filter(each.schema, each, self._waiting)
        return Project(self.of, new, tuple(as_they_are(self.of).items()))

    def gone(self, kept: Relation) -> Relation:
        """The numbers (`KEPT`) of rows that were given out, and that no later one looks back to."""
        backwards = tuple(SortKey(key.expression, not key.descending, not key.nulls_first) for key in self.sequences.order)
        place = Window(WHOLE, Call(WHOLE, "row_number", ()), self.sequences.partition, backwards)
        known = with_columns(self._known(kept), {_FROM_END: place})
        past = test("less", add(whole(TIME), number(self.sequences.span + self.behind)), HORIZON)
        unseen = all_of(test("greater", whole(_FROM_END), number(self.sequences.back)), past)
        return project(Filter(known.schema, known, unseen), {KEPT: whole(KEPT)})

    def opens(self, kept: Relation) -> Relation:
        """The least horizon at which a row can be given out, as the only value; null when none waits."""
        waiting = Filter(kept.schema, kept, self._waiting)
        first = add(whole(TIME), number(self.behind + 1))
        return grouped_by(waiting, (), ((HORIZON_AT, Aggregate(WHOLE, "min", (first,))),))

    def _known(self, kept: Relation) -> Relation:
        return Filter(kept.schema, kept, test("less", self._ready, HORIZON))

    @property
    def _waiting(self) -> Expr:
        """That a row was not given out before."""
        return test("greater_or_equal", self._ready, BEFORE)

    def _touched(self, known: Relation) -> Relation:
        """Of the partitions alone that have a row to be given out."""
        if not self.sequences.partition:
            return known
        keys = {f"#:key {i}": e for i, e in enumerate(self.sequences.partition)}
        waiting = Filter(known.schema, known, self._waiting)
        touched = project(waiting, keys)
        same = (test("not_distinct", e, column(name, e.type)) for name, e in keys.items())
        return Join(known.schema, known, touched, "semi", all_of(*same))

    @property
    def _ready(self) -> Expr:
        """A row is given out when the horizon has passed this."""
        return add(whole(TIME), number(self.behind))
