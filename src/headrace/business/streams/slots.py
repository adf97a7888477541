"""The slots of what a stream keeps: each row of a state is in one of 64, by its key. Not the rows, and not where they are saved.

A checkpoint saves what was added since the one before. So that going on reads little, the state must be saved whole now and then; but
to save all of it at once would stop the stream. So slots are saved whole one after the other, a few with each checkpoint: as many rows
as were added. Those of a small state are saved many at once, and seldom. A state is made of each slot as it was saved whole last, and of
what was added to it since.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from headrace.business.model.types import Integer
from headrace.business.processing.expressions.build import constant
from headrace.business.processing.expressions.ir import Call, Expr

if TYPE_CHECKING:
    import pyarrow as pa

SLOTS = 64
#: The column of the number of a row's slot, and its type.
SLOT, SLOT_TYPE = "#:slot", Integer(8)
#: A function beside the catalogue that an engine of streams has: the slot of some values. A slot is kept with its row, so another
#: release of an engine may spread rows in another way.
SLOT_OF = "#slot"

#: After how many epochs, at the latest, each slot was saved whole: so many at the most are read to go on.
LONGEST_CHAIN = 200
#: In how many epochs they go round where little is added.
_ROUND = 160
#: A state of so few rows may be saved whole whenever as many were added.
_FEW = 5_000
#: Slots of fewer rows than this wait for more of them to be due: to look for them takes longer than to save them.
_WORTH_WHILE = 5_000
#: Where the schema of a table says which of its slots are whole.
_SLOTS = b"headrace.slots"


def slot_of(values: Sequence[Expr]) -> Expr:
    """The slot of a row that has these values."""
    return Call(SLOT_TYPE, SLOT_OF, tuple(values)) if values else constant(0, SLOT_TYPE)


class Round:
    """Which slots of a table come with which epoch. Epochs are counted from the first that knows the table."""

    def __init__(self) -> None:
        self._epoch = 0
        self._whole = [1] * SLOTS
        self._next = 0
        self._owed = 0.0

    def begin(self, ages: Sequence[int]) -> None:
        """Go on where each slot was saved whole so many epochs ago."""
        self._epoch = 0
        self._whole = [-age for age in ages]
        self._next = self._whole.index(min(self._whole))

    def due(self, kept: int, added: int) -> range:
        """The slots that the next epoch saves whole, of a table that has so many rows and was added so many to."""
        self._owed = min(SLOTS, self._owed + SLOTS * max(1 / _ROUND, added / (kept + _FEW)))
        left = SLOTS - self._next
        slots = min(int(self._owed), left)
        if slots < left and slots * kept < SLOTS * _WORTH_WHILE:
            slots = left if self._overdue and left * kept < SLOTS * _WORTH_WHILE else 0
        return range(self._next, self._next + slots)

    @property
    def _overdue(self) -> bool:
        """Whether the next slot must not wait: behind it, another part of the round may be as old."""
        return self._epoch - self._whole[self._next] >= LONGEST_CHAIN - 2

    def saved(self, slots: range) -> None:
        """One more epoch was saved, these slots whole."""
        self._epoch += 1
        for slot in slots:
            self._whole[slot] = self._epoch
        self._next = slots.stop % SLOTS if slots else self._next
        self._owed = max(0.0, self._owed - len(slots))

    @property
    def reach(self) -> int:
        """How many epochs before the last one are needed to make the state; none when that has all of it."""
        return self._epoch - min(self._whole)


def tagged(rows: pa.Table, slots: range) -> pa.Table:
    """The rows of an epoch, which say that they are these slots whole, and of the others what was added."""
    return rows.replace_schema_metadata({**(rows.schema.metadata or {}), _SLOTS: f"{slots.start} {slots.stop}".encode()})


def put_together(tables: Sequence[pa.Table]) -> tuple[list[pa.Table], list[int]]:
    """What the rows of these epochs, oldest first, make together: of each table what counts, and how long ago each slot was saved whole.

    Of a slot that was never saved whole all counts, from the first epoch on.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    begins = [0] * SLOTS
    for number, table in enumerate(tables):
        for slot in _whole_in(table):
            begins[slot] = number
    counting = pa.array(begins)
    found = [
        table.filter(pc.less_equal(counting.take(table[SLOT]), number)) if number < max(begins) else table
        for number, table in enumerate(tables)
    ]
    return found, [len(tables) - 1 - begin for begin in begins]


def _whole_in(table: pa.Table) -> range:
    told = (table.schema.metadata or {}).get(_SLOTS, b"0 0")
    return range(*map(int, told.split()))
