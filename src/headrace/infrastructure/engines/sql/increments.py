"""Of a source that is read by cursor, tells the rows that no earlier run has read from the others, and how far it is read now. Positions
and digests are the same on every engine, so that a definition may change its engine. Not how an engine keeps a table.

It looks at the judged rows before anything is held back, so that the rows of earlier runs are not held back again. They stay where
they are, because deleting could move the numbers of the others.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from headrace.business.processing.increments import ReadUpTo, demand_few, demand_same_kind
from headrace.business.processing.plan import PlannedSource


class ReadByCursor(ABC):
    """One reading of one source. `left` is a condition on the judged rows: the row is none of this run's; their numbers stand in the
    table `rows`, as `r`. `position` is how far the source is read when the others are published."""

    #: What the number of a row is called among the judged rows, the rows themselves, the cursor as it is compared, and the digest of a row.
    row: str
    table: str
    column: str
    digest: str

    def __init__(self, source: PlannedSource, cursor: str, before: ReadUpTo, rows: str) -> None:
        self.source, self.cursor, self.before, self.rows = source, cursor, before, rows
        self.kind = source.schema[cursor].type
        self.position: str | None = None
        self.left = "false"
        demand_same_kind(before, self.kind, source.name, cursor)

    # What the engine says in its own way -----------------------------------------------------------------------------

    @abstractmethod
    def run(self, statement: str) -> object: ...

    @abstractmethod
    def found(self, query: str) -> Sequence[Sequence[Any]]:
        """The few rows that a query gives."""

    @abstractmethod
    def text(self, value: str) -> str:
        """A value of the cursor as the text that positions hold."""

    @abstractmethod
    def value(self, text: str) -> str:
        """The other way round, as it is compared."""

    @abstractmethod
    def lowered(self, value: str, lag: timedelta | int) -> str:
        """A value so far before another, in the type of the cursor."""

    @abstractmethod
    def without_place(self) -> str:
        """A condition: the value says nothing of when the row came. Rows without one, and those at infinity, are near for ever."""

    @abstractmethod
    def known(self, counts: Mapping[str, int]) -> str:
        """What stands after JOIN for digests and how many rows have each."""

    # What all do alike -----------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Find what is left, once the table `rows` is there."""
        self.position = self._read_up_to().position()
        if self._number(f"SELECT count(*) FROM {self.rows}"):
            self.left = self._among_left

    @property
    def _among_left(self) -> str:
        return f"{self.row} IN (SELECT r FROM {self.rows})"

    def _read_up_to(self) -> ReadUpTo:
        floor = self._floor()
        if self.before.floor is not None:
            self._leave(self._below(self.before.floor))
        self._leave_known()
        waiting = self.source.newest == "wait"
        near = self.without_place()
        if floor is not None:
            remembered = f" AND {self._among_left}" if waiting else ""
            near += f" OR ({self.column} >= {floor}{remembered})"
        known = self._known(near)
        if waiting and floor is not None:
            self._leave(f"{self.column} >= {floor} AND NOT ({self.without_place()}) AND NOT ({self._among_left})")
        text = None if floor is None else str(self.found(f"SELECT {self.text(floor)}")[0][0])
        return ReadUpTo(text, known, type(self.kind).__name__)

    def _floor(self) -> str | None:
        """Below this value everything is read once this run is published: an expression, or None while there is no value."""
        highest = self.found(f"SELECT {self.text(f'max({self.column})')} FROM {self.table} WHERE NOT ({self.without_place()})")[
            0
        ][0]
        if highest is None:
            return None if self.before.floor is None else self.value(self.before.floor)
        newest, lag = self.value(highest), self.source.lag
        floor = self.lowered(newest, lag) if lag else newest
        return floor if self.before.floor is None else f"greatest({floor}, {self.value(self.before.floor)})"

    def _known(self, near: str) -> dict[str, int]:
        """The rows near the highest value by their digests, those of earlier runs among them."""
        demand_few(self._number(f"SELECT count(*) FROM {self.table} WHERE {near}"), self.source.name, self.cursor)
        counted = self.found(f"SELECT {self.digest}, count(*) FROM {self.table} WHERE {near} GROUP BY 1")
        return {str(digest): int(count) for digest, count in counted}

    def _leave(self, condition: str) -> None:
        self.run(f"INSERT INTO {self.rows} SELECT {self.row} FROM {self.table} WHERE {condition}")

    def _leave_known(self) -> None:
        """Of rows that are alike, as many as were known: the others are new."""
        if not self.before.known:
            return
        alike = f"SELECT {self.row} AS r, {self.digest} AS d FROM {self.table} WHERE NOT ({self._among_left})"
        numbered = f"SELECT r, d, row_number() OVER (PARTITION BY d ORDER BY r) AS nth FROM ({alike}) AS alike"
        known = f"{self.known(self.before.known)} AS known(d, n)"
        self.run(f"INSERT INTO {self.rows} SELECT r FROM ({numbered}) AS numbered JOIN {known} USING (d) WHERE nth <= n")

    def _below(self, floor: str) -> str:
        """A condition: everything below the value of the row had been read."""
        return f"coalesce({self.column} < {self.value(floor)} AND NOT ({self.without_place()}), false)"

    def _number(self, query: str) -> int:
        return int(self.found(query)[0][0])
