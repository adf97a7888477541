"""What a stream keeps to tell copies of rows: of each key when its rows happened, as relations. Not how an engine runs them.

A row is a copy of any that came before it and happened near enough; of those that come together the first in time is none. What is
kept can be forgotten when the watermark has passed it by the time in which rows are copies: a later row, unless it is late, is none.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from headrace.business.model.schema import Column, Schema
from headrace.business.model.types import Boolean
from headrace.business.processing.expressions.build import all_of, column, is_null, negate, test
from headrace.business.processing.expressions.ir import Call, SortKey, Window
from headrace.business.processing.relation import Dataset, Filter, Join, Relation
from headrace.business.processing.stateful import Copies
from headrace.business.processing.steps.copies import BEFORE, is_first
from headrace.business.processing.steps.event_windows import (
    TIME,
    WHOLE,
    Named,
    add,
    grouped_by,
    microseconds,
    number,
    subtract,
    whole,
    with_columns,
)
from headrace.business.processing.steps.projection import as_they_are, project, ref
from headrace.business.streams.groups import HORIZON, KEPT, LATE, WATERMARK, late_of, surely
from headrace.business.streams.keys import Keys
from headrace.business.streams.slots import SLOT, slot_of

#: In which order rows came.
NUMBER = "#:number"
#: When a row happened that is remembered.
_KNOWN = "#:known"


@dataclass(frozen=True)
class KeptCopies:
    """The keys of one step. `behind` is how much later than their time rows may come to it."""

    copies: Copies
    of: Schema
    behind: int = 0

    @property
    def meaning(self) -> object:
        """What decides whether what was kept can be gone on with."""
        return self.copies.key, self.copies.time

    def taken(self, rows: Relation, side: str = "") -> Relation:  # noqa: ARG002 - there is one
        """Rows that come, with their number, their time, and whether they are late."""
        at = microseconds(ref(self.copies.rows.schema[self.copies.time]))
        placed = with_columns(rows, {TIME: at, NUMBER: Window(WHOLE, Call(WHOLE, "row_number", ()))})
        return with_columns(placed, {LATE: surely(test("less", whole(TIME), whole(WATERMARK)))})

    def late(self, rows: Relation, columns: Collection[str], side: str = "") -> Relation:
        """The rows that came too late, with these columns of theirs behind `LATE`."""
        return late_of(self.taken(rows, side), columns)

    def fresh(self, came: Relation, kept: Relation) -> Relation:
        """Of numbered rows those that are no copies."""
        timely = self._timely(came)
        keys = tuple(e for _, e in self._keys)
        order = (SortKey(whole(TIME)), SortKey(whole(NUMBER)))
        seen = with_columns(timely, {BEFORE: Window(WHOLE, Call(WHOLE, "lag", (whole(TIME),)), keys, order)})
        first = Filter(seen.schema, seen, is_first(self.copies, subtract(whole(TIME), whole(BEFORE))))
        known = project(kept, {**{f"#:kept {n}": e for n, e in self._keys}, _KNOWN: whole(TIME)})
        same = (test("equal", e, column(f"#:kept {name}", e.type)) for name, e in self._keys)
        apart = Call(WHOLE, "abs", (subtract(whole(TIME), whole(_KNOWN)),))
        copy = all_of(*same, test("less", apart, number(self.copies.within)))
        return project(Join(first.schema, first, known, "anti", copy), as_they_are(self.of))

    def made(self, came: Relation) -> Relation:
        """What is kept of numbered rows: when those of each key happened."""
        complete = all_of(*(negate(is_null(column(name, e.type))) for name, e in self._keys))
        timely = self._timely(came)
        made = grouped_by(Filter(timely.schema, timely, complete), (*self._keys, (TIME, whole(TIME))), ())
        return with_columns(made, {SLOT: slot_of([e for _, e in self._keys])})

    def gone(self, kept: Relation) -> Relation:
        """The numbers (`KEPT`) of what can be forgotten."""
        over = test("less_or_equal", add(whole(TIME), number(self.copies.within + self.behind)), HORIZON)
        return project(Filter(kept.schema, kept, over), {KEPT: whole(KEPT)})

    @property
    def kept_schema(self) -> Schema:
        return self.made(Dataset(self.came_schema, "")).schema

    @property
    def came_schema(self) -> Schema:
        """The columns of numbered rows."""
        extra = (Column(WATERMARK, WHOLE), Column(TIME, WHOLE), Column(NUMBER, WHOLE), Column(LATE, Boolean()))
        return Schema((*self.of, *extra))

    @property
    def keys(self) -> Keys:
        """By what kept rows are looked up, in columns of theirs and of numbered rows."""
        return tuple(e for _, e in self._keys)

    @property
    def _keys(self) -> Named:
        schema = self.copies.rows.schema
        return tuple((name, ref(schema[name])) for name in self.copies.key)

    @staticmethod
    def _timely(came: Relation) -> Relation:
        return Filter(came.schema, came, negate(column(LATE, Boolean())))
