"""The rows that a stream keeps under a name: adds to them, saves what was added, and takes them up again. Not what the rows mean.

What is added is a small Arrow table. It is put to the others when these are read, and it is what a checkpoint saves, too. While rows are
few they lie in one place, and in another when they are many (see `stream_places`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from headrace.business.model.schema import Column, Schema
from headrace.business.processing.relation import Dataset
from headrace.business.processing.steps.event_windows import WHOLE
from headrace.business.streams.groups import KEPT
from headrace.business.streams.keys import Keys
from headrace.business.streams.slots import SLOTS, Round, tagged
from headrace.infrastructure.engines.duckdb.stream_places import FEW, SOME, Deletion, FewRows, ManyRows, Place, outside
from headrace.infrastructure.engines.duckdb.stream_statements import Prepared, Statements
from headrace.infrastructure.engines.duckdb.types import duckdb_type

if TYPE_CHECKING:
    import pyarrow as pa

#: Many rows are few again when so few are left.
FEW_AGAIN = FEW // 4


class Kept:
    """A statement about rows that are kept, made of what stands after FROM for them."""

    def __init__(self, table: StateTable, made: Callable[[str], str]) -> None:
        self._table, self._made = table, made
        self._ready: dict[Place, Prepared] = {}
        self._at_their_place()

    def rows(self, **given: int) -> pa.Table:
        return self._table.statements.rows(self._at_their_place(), **given)

    def _at_their_place(self) -> Prepared:
        place = self._table.place
        if place not in self._ready:
            self._ready[place] = self._table.statements.prepare(self._made(place.sql))
        return self._ready[place]


class Gone:
    """Deletes rows that are kept: those whose numbers a query gives, made of what stands after FROM for all."""

    def __init__(self, table: StateTable, made: Callable[[str], str]) -> None:
        self._table, self._made = table, made
        self._ready: dict[Place, Deletion] = {}

    def run(self, **given: int) -> None:
        place = self._table.place
        if place not in self._ready:
            self._ready[place] = place.deletion(self._made(place.sql))
        self._ready[place](**given)


class StateTable:
    """Rows that are kept under a name."""

    def __init__(self, statements: Statements, name: str, schema: Schema, keys: Keys = ()) -> None:
        """With `keys`, each row of many stands there with the number of these."""
        self.statements, self.schema = statements, schema
        self._few, self.many = FewRows(statements, name, schema), ManyRows(statements, name, schema, keys)
        self.place: Place = self._few
        self._fewer: Kept | None = None
        self._round = Round()
        self._about = 0
        """How many rows there are, as far as is known: they are counted when slots are saved."""
        self._waiting: list[pa.Table] = []
        self._unsaved: list[pa.Table] = []

    @property
    def rows(self) -> Dataset:
        """What statements about it read: its columns, and the number of each row."""
        return Dataset(Schema((*self.schema, Column(KEPT, WHOLE))), "kept")

    @property
    def about(self) -> int:
        """How many rows there are, as far as is known without counting."""
        return self._about + sum(map(len, self._unsaved))

    def add(self, rows: pa.Table) -> None:
        if len(rows):
            self._waiting.append(rows)
            self._unsaved.append(rows)

    def settle(self) -> None:
        """Put what lies beside the others to them."""
        import pyarrow as pa

        if self._waiting:
            added = pa.concat_tables(self._waiting)
            self._waiting = []
            self._put(added)

    def compact_by(self, fewer: Callable[[str], str]) -> None:
        """Put fewer rows that say the same in the place of those that are saved whole: a query on what stands after FROM for these. Rows
        of different slots have nothing to do with each other."""
        self._fewer = Kept(self, lambda rows: fewer(f"(SELECT * FROM {rows} WHERE {SOME})"))

    def all(self) -> pa.Table:
        self.settle()
        return self.place.all()

    def count(self) -> int:
        return self.place.count()

    def _put(self, rows: pa.Table) -> None:
        if self.place is self._few and not self._few.takes(rows):
            self.many.add(self._few.all())
            self._few.clear()
            self.place = self.many
        self.place.add(rows)

    # Saving ----------------------------------------------------------------------------------------------------------

    @property
    def reach(self) -> int:
        """How many epochs before the last one hold something of what is there."""
        return self._round.reach

    def unsaved(self, *, whole: bool) -> pa.Table:
        """What was added since the last time, whatever became of it, and some slots as they are; or all that is there."""
        import pyarrow as pa

        added = pa.concat_tables(self._unsaved) if self._unsaved else self._few.nothing
        self._unsaved = []
        self._about += len(added)
        slots = range(SLOTS) if whole else self._round.due(self._about, len(added))
        self._round.saved(slots)
        if slots:
            self.settle()
            added = pa.concat_tables([self._slots(slots), outside(added, slots)])
            self._count_anew()
        return tagged(added, slots)

    def _slots(self, slots: range) -> pa.Table:
        """The rows of these slots, as few as say the same."""
        if self._fewer is None:
            return self.place.of(slots)
        rows = self._fewer.rows(first=slots.start, last=slots.stop - 1)
        self.place.remove(slots)
        self._put(rows)
        return rows

    def _count_anew(self) -> None:
        self._about = self.place.count()
        if self.place is self.many and self._about <= FEW_AGAIN and self._few.takes(rows := self.many.all()):
            self.many.clear()
            self.place = self._few
            self._few.add(rows)

    def restore(self, saved: list[pa.Table], ages: Sequence[int]) -> None:
        """Begin with these rows, of which each slot was saved whole so many epochs ago."""
        import pyarrow as pa

        self._waiting, self._unsaved = [], []
        self._round.begin(ages)
        self._about = sum(map(len, saved))
        self.place.clear()
        self.place = self._few
        self._put(pa.concat_tables([table.cast(self._few.nothing.schema) for table in saved]))

    def measure(self) -> dict[str, Any]:
        """How many rows it has, and about how many bytes."""
        rows = self.place.count() + sum(map(len, self._waiting))
        return {"rows": rows, "bytes": rows * sum(_WIDTHS.get(duckdb_type(c.type), 16) for c in self.schema)}


_WIDTHS = {"BIGINT": 8, "DOUBLE": 8, "INTEGER": 4, "BOOLEAN": 1, "TIMESTAMP": 8}
