"""A table in which a stream keeps rows: adds to it, saves what was added, and takes it up again. Not what the rows mean.

What is added is a small Arrow table. It goes into the table when that is read; until then it lies beside it. It is what a checkpoint
saves, too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from headrace.business.model.schema import Column, Schema
from headrace.business.processing.relation import Dataset
from headrace.business.processing.steps.event_windows import WHOLE
from headrace.business.streams.groups import KEPT
from headrace.business.streams.keys import NUMBERED, Keys
from headrace.business.streams.slots import SLOT, SLOTS, Round, tagged
from headrace.infrastructure.engines.duckdb.literals import identifier
from headrace.infrastructure.engines.duckdb.stream_numbers import typed, with_number
from headrace.infrastructure.engines.duckdb.stream_statements import Prepared, Statements
from headrace.infrastructure.engines.duckdb.types import duckdb_type

if TYPE_CHECKING:
    import pyarrow as pa


class StateTable:
    """Rows that are kept under a name."""

    def __init__(self, statements: Statements, name: str, schema: Schema, keys: Keys = ()) -> None:
        """With `keys`, each row stands there with the number of these."""
        self.statements, self.schema = statements, schema
        self._columns = ", ".join(identifier(c.name) for c in schema)
        self.table = statements.table(f"kept {name}", Schema((*schema, Column(NUMBERED, WHOLE))) if keys else schema)
        self._added = statements.inlet(f"added {name}", schema)
        added = typed(self._added, schema)
        values = with_number(added, keys) if keys else f"SELECT * FROM {added}"
        self._insert = statements.prepare(f"INSERT INTO {self.table} {values}")
        self._empty = statements.prepare(f"DELETE FROM {self.table}")
        self._all = statements.prepare(f"SELECT {self._columns} FROM {self.table}")
        self._count = statements.prepare(f"SELECT count(*) AS n FROM {self.table}")
        self._of_slots = statements.prepare(f"SELECT {self._columns} FROM {self.table} WHERE {_SOME}")
        self._remove_slots = statements.prepare(f"DELETE FROM {self.table} WHERE {_SOME}")
        self._fewer: Prepared | None = None
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
    def sql(self) -> str:
        """What stands after FROM for `rows`."""
        return f'(SELECT {self._columns}, rowid AS "{KEPT}" FROM {self.table})'

    def numbered_in(self, numbers: str) -> str:
        """What stands after FROM for those of `rows` whose keys have one of the numbers that a query gives."""
        found = f'SELECT {self._columns}, rowid AS "{KEPT}" FROM {self.table} WHERE "{NUMBERED}" IN ({numbers})'
        return f"(WITH found AS MATERIALIZED ({found}) FROM found)"

    @property
    def about(self) -> int:
        """How many rows there are, as far as is known without counting."""
        return self._about + sum(map(len, self._unsaved))

    def deletion(self, numbers: str) -> Prepared:
        """A statement that deletes the rows whose numbers a query gives."""
        return self.statements.prepare(f"DELETE FROM {self.table} WHERE rowid IN ({numbers})")

    def add(self, rows: pa.Table) -> None:
        if len(rows):
            self._waiting.append(rows)
            self._unsaved.append(rows)

    def settle(self) -> None:
        """Put what lies beside the table into it."""
        import pyarrow as pa

        if self._waiting:
            added = pa.concat_tables(self._waiting)
            self._waiting = []
            self._fill(added)

    def compact_by(self, fewer: Callable[[str], str]) -> None:
        """Put fewer rows that say the same in the place of those that are saved whole: a query on what stands after FROM for these. Rows
        of different slots have nothing to do with each other."""
        some = f'(SELECT {self._columns}, rowid AS "{KEPT}" FROM {self.table} WHERE {_SOME})'
        self._fewer = self.statements.prepare(fewer(some))

    def all(self) -> pa.Table:
        self.settle()
        return self.statements.rows(self._all)

    def _fill(self, rows: pa.Table) -> None:
        self._added.hold(rows)
        self.statements.run(self._insert)
        self._added.hold(None)

    # Saving ----------------------------------------------------------------------------------------------------------

    @property
    def reach(self) -> int:
        """How many epochs before the last one hold something of what is there."""
        return self._round.reach

    def unsaved(self, *, whole: bool) -> pa.Table:
        """What was added since the last time, whatever became of it, and some slots as they are; or all that is there."""
        import pyarrow as pa

        added = pa.concat_tables(self._unsaved) if self._unsaved else self._added.schema.empty_table()
        self._unsaved = []
        self._about += len(added)
        slots = range(SLOTS) if whole else self._round.due(self._about, len(added))
        self._round.saved(slots)
        if slots:
            self.settle()
            self._about = self._rows()
            added = pa.concat_tables([self._slots(slots), _outside(added, slots)])
        return tagged(added, slots)

    def _slots(self, slots: range) -> pa.Table:
        """The rows of these slots, as few as say the same."""
        given = {"first": slots.start, "last": slots.stop - 1}
        if self._fewer is None:
            return self.statements.rows(self._of_slots, **given)
        rows = self.statements.rows(self._fewer, **given)
        self.statements.run(self._remove_slots, **given)
        self._fill(rows)
        return rows

    def restore(self, saved: list[pa.Table], ages: Sequence[int]) -> None:
        """Begin with these rows, of which each slot was saved whole so many epochs ago."""
        import pyarrow as pa

        self._waiting, self._unsaved = [], []
        self._round.begin(ages)
        self._about = sum(map(len, saved))
        self.statements.run(self._empty)
        self._fill(pa.concat_tables([table.cast(self._added.schema) for table in saved]))

    def measure(self) -> dict[str, Any]:
        """How many rows it has, and about how many bytes."""
        rows = self._rows() + sum(map(len, self._waiting))
        return {"rows": rows, "bytes": rows * sum(_WIDTHS.get(duckdb_type(c.type), 16) for c in self.schema)}

    def _rows(self) -> int:
        return int(self.statements.rows(self._count)["n"][0].as_py())


def _outside(rows: pa.Table, slots: range) -> pa.Table:
    import pyarrow.compute as pc

    return rows.filter(pc.or_(pc.less(rows[SLOT], slots.start), pc.greater_equal(rows[SLOT], slots.stop)))


_SOME = f'"{SLOT}" BETWEEN CAST($first AS TINYINT) AND CAST($last AS TINYINT)'
_WIDTHS = {"BIGINT": 8, "DOUBLE": 8, "INTEGER": 4, "BOOLEAN": 1, "TIMESTAMP": 8}
