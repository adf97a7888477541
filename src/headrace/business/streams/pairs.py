"""What a stream keeps to find pairs of rows of two datasets: the rows of both, as long as a partner may come. Not how an engine runs it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property

from headrace.business.model.schema import Column, Schema
from headrace.business.model.types import Boolean
from headrace.business.processing.expressions.build import column, constant, test
from headrace.business.processing.expressions.ir import Call
from headrace.business.processing.relation import Dataset, Filter, Relation
from headrace.business.processing.stateful import Pairs, Reach
from headrace.business.processing.steps.event_windows import WHOLE, add, microseconds, number, whole, with_columns
from headrace.business.processing.steps.projection import as_they_are, project, ref
from headrace.business.streams.groups import HORIZON, KEPT, LATE, WATERMARK, late_of, surely
from headrace.business.streams.keys import Keys, matched_keys
from headrace.business.streams.slots import SLOT, SLOT_TYPE, slot_of

Side = str
SIDES = ("left", "right")

#: Until when a row may find partners, in microseconds; null for one that always may.
UNTIL = "#:until"


@dataclass(frozen=True)
class KeptPairs:
    """The rows of both sides of one step. `behind` is how much later than their time they may come to it."""

    pairs: Pairs
    of: Schema
    columns: dict[Side, tuple[str, ...]]
    """The columns of each side that are there."""
    behind: int = 0

    def dataset(self, side: Side) -> Dataset:
        return self.pairs.left if side == "left" else self.pairs.right

    def rows(self, side: Side) -> Schema:
        """The columns of a side, as they come."""
        schema = self.dataset(side).schema
        return Schema(tuple(c for c in schema if c.name in self.columns[side]))

    @cached_property
    def keys(self) -> Mapping[Side, Keys]:
        """By what rows of a side are looked up, in columns of its own."""
        return dict(zip(SIDES, matched_keys(self.pairs.found, self.pairs.left, self.pairs.right), strict=True))

    def kept_schema(self, side: Side) -> Schema:
        return Schema((*self.rows(side), Column(UNTIL, WHOLE), Column(SLOT, SLOT_TYPE)))

    def _placed(self, rows: Relation, side: Side) -> Relation:
        """Rows that come, with the last moment of their partners, and whether they are late."""
        reach = self.pairs.reach_of(self.dataset(side))
        if reach is None:
            return with_columns(rows, {UNTIL: constant(None, WHOLE), LATE: constant(False, Boolean())})
        time = microseconds(ref(rows.schema[reach.time]))
        until = Call(WHOLE, "coalesce", (reach.until, time))
        return with_columns(rows, {UNTIL: until, LATE: surely(test("less", time, whole(WATERMARK)))})

    @property
    def meaning(self) -> object:
        """What decides whether what was kept can be gone on with."""
        return self.pairs.reach and tuple((reach.time, reach.until) for reach in self.pairs.reach)

    @property
    def times(self) -> dict[Side, dict[str, int]]:
        """The columns of each side that say when a pair is given out, and how much later than by them that is at the most: when the
        later of the two rows comes, or when none can come any more."""
        if self.pairs.reach is None:
            return {side: {} for side in SIDES}
        left, right = self.pairs.reach
        return {"left": self._times(left, right), "right": self._times(right, left)}

    def _times(self, own: Reach, other: Reach) -> dict[str, int]:
        found = {}
        if own.column is not None and other.beyond is not None:
            found[own.column] = max(other.beyond, 0) + self.behind
        if own.beyond is not None:
            found[own.time] = max(own.beyond, 0) + self.behind
        return found

    def taken(self, rows: Relation, side: Side) -> Relation:
        """What is kept of rows; where `LATE` is true, of those that came too late."""
        placed = with_columns(self._placed(rows, side), {SLOT: slot_of([ref(c) for c in self.rows(side)])})
        return project(placed, {LATE: column(LATE, Boolean()), **as_they_are(self.kept_schema(side))})

    def late(self, rows: Relation, columns: Collection[str], side: Side) -> Relation:
        """The rows that came too late, with these columns of theirs behind `LATE`."""
        return late_of(self._placed(rows, side), columns)

    def over(self, kept: Relation, side: Side) -> Relation:
        """What can have no partner any more. The right is kept longer where the left waits to be known to be alone."""
        waits = self.pairs.reach[0].beyond if self.pairs.reach and side == "right" and self.pairs.alone is not None else 0
        return Filter(kept.schema, kept, test("less", add(whole(UNTIL), number((waits or 0) + self.behind)), HORIZON))

    def gone(self, kept: Relation, side: Side) -> Relation:
        return project(self.over(kept, side), {KEPT: whole(KEPT)})
