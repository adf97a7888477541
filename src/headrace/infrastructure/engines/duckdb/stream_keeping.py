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


#: So many rows that came are worked in at once where little is kept, and where much is.
ENOUGH, MOST = 20_000, 100_000
#: How many kept rows it is cheaper to go through than to work in one.
_AS_ONE = 16


class Waiting:
    """Rows that came and are not worked in yet. Whoever looks for their keys in what is kept goes through much of it, for one row as for
    many; and what becomes of them is asked for when an epoch ends, or something closes."""

    def __init__(self) -> None:
        self._tables: list[pa.Table] = []
        self.rows = 0

    def add(self, came: pa.Table) -> None:
        if len(came):
            self._tables.append(came)
            self.rows += len(came)

    def taken(self) -> pa.Table:
        """All that wait, in the order in which they came; they do so no longer."""
        import pyarrow as pa

        found = pa.concat_tables(self._tables)
        self.clear()
        return found

    def clear(self) -> None:
        self._tables, self.rows = [], 0

    def enough(self, kept: int) -> bool:
        """Whether they wait no longer, where about so many rows are kept: to go through these costs no more than to work in the others."""
        return self.rows >= min(max(ENOUGH, kept // _AS_ONE), MOST)


class Keeper(Protocol):
    """Keeps the rows of one step."""

    tables: Mapping[str, StateTable]
    """What it keeps, under the names by which it is saved; the only one under none."""
    horizon: int
    """Up to where everything is closed."""

    def add(self, side: str, taken: pa.Table) -> Sequence[pa.Table]:
        """Take in what was made of rows of one side: the rows to be given out at once. They may be left to `settle`."""
        ...

    def settle(self) -> Sequence[pa.Table]:
        """Work in what was left: the rows to be given out."""
        ...

    def due(self, horizon: int) -> bool:
        """Whether something that has come ends here or before."""
        ...

    def advance(self, horizon: int) -> Sequence[pa.Table]:
        """Close what ends here or before, where everything is settled: the rows to be given out."""
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

    first: int | None = pc.min(taken[column]).as_py()
    if first is None:
        return before
    return first + after if before is None else min(before, first + after)
