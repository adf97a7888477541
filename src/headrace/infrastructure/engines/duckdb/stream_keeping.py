"""What a stream asks of whatever keeps rows for one of its steps. Not how any of them does it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from headrace.business.streams.groups import LATE
from headrace.infrastructure.engines.duckdb.stream_table import StateTable

if TYPE_CHECKING:
    import pyarrow as pa

#: A horizon before and behind everything.
NEVER, FOR_GOOD = -(1 << 62), 1 << 62


#: So many rows may be over without anybody looking for them.
FEW = 1000


class Growth:
    """When it is worth while to look for rows that are over, where that gives out nothing: when as many have come as were left the
    last time. Not by time: one row that is kept for a year would keep all others, or have them looked through each time."""

    def __init__(self) -> None:
        self._left = self._come = 0

    def come(self, rows: int) -> None:
        self._come += rows

    def left(self, rows: int) -> None:
        """It was looked, and so many are kept."""
        self._left, self._come = rows, 0

    @property
    def worth_a_look(self) -> bool:
        return self._come > max(self._left, FEW)


class Keeper(Protocol):
    """Keeps the rows of one step."""

    tables: Mapping[str, StateTable]
    """What it keeps, under the names by which it is saved; the only one under none."""
    horizon: int
    """Up to where everything is closed."""

    def add(self, side: str, taken: pa.Table) -> Sequence[pa.Table]:
        """Take in what was made of rows of one side: the rows to be given out at once."""
        ...

    def advance(self, horizon: int) -> Sequence[pa.Table]:
        """Close what ends here or before: the rows to be given out."""
        ...

    def changes(self) -> Sequence[pa.Table]:
        """What has changed since the last time, where that is given out."""
        ...

    def restored(self, horizon: int) -> None:
        """The tables are filled with what was saved when everything up to here was closed."""
        ...

    def now(self) -> pa.Table:
        """What it keeps, for people."""
        ...


def timely(taken: pa.Table) -> pa.Table:
    """The rows that did not come too late."""
    import pyarrow.compute as pc

    return (taken.filter(pc.invert(taken[LATE])) if some_late(taken) else taken).drop_columns([LATE])


def some_late(taken: pa.Table) -> bool:
    """Whether rows came too late."""
    import pyarrow.compute as pc

    return bool(pc.any(taken[LATE]).as_py())


def least(taken: pa.Table, column: str, before: int | None, after: int) -> int | None:
    """The least horizon at which something closes, with these rows beside what had been there before."""
    import pyarrow.compute as pc

    if not len(taken):
        return before
    first: int = pc.min(taken[column]).as_py() + after
    return first if before is None else min(before, first)
