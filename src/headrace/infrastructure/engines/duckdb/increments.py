"""Of a source that is read by cursor, tells the rows that no earlier run has read from the others, and how far it is read now.

It looks at the judged rows before anything is held back, so that the rows of earlier runs are not held back again. They stay where
they are, because deleting could move the numbers of the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol

from headrace.business.model.types import Date, Float, String, Timestamp
from headrace.business.ports import Scan
from headrace.business.processing.expressions.ir import ColumnRef
from headrace.business.processing.increments import ReadUpTo, demand_few, demand_same_kind
from headrace.business.processing.plan import PlannedSource
from headrace.infrastructure.duckdb_connection import Connection
from headrace.infrastructure.engines.duckdb.literals import identifier, literal
from headrace.infrastructure.engines.duckdb.types import duckdb_type


class Judged(Protocol):
    """The judged rows of a source, as DuckDB sees them."""

    @property
    def table(self) -> str: ...
    @property
    def row(self) -> str:
        """What the number of a row is called there."""
        ...

    @property
    def kept(self) -> Sequence[str]: ...

    def stored(self, name: str) -> str:
        """A column of the source, as it is called there."""
        ...


class Increment:
    """One reading of one source. `left` is a condition on the judged rows: the row is none of this run's; their numbers stand in the
    table `rows`, as `r`. `position` is how far the source is read when the others are published."""

    def __init__(self, con: Connection, source: PlannedSource, cursor: str, judged: Judged, before: ReadUpTo) -> None:
        self.con, self.source, self.cursor, self.judged, self.before = con, source, cursor, judged, before
        self.column, self.kind = judged.stored(cursor), source.schema[cursor].type
        demand_same_kind(before, self.kind, source.name, cursor)
        whole = source.identity or tuple(judged.kept)
        values = ", ".join(f"CAST({judged.stored(name)} AS VARCHAR)" for name in whole)
        self.digest = f"md5(CAST(to_json([{values}]) AS VARCHAR))"
        self.rows = identifier(f"left {source.name}")
        self.con.execute(f"CREATE TEMP TABLE {self.rows} (r BIGINT)")
        self.position = self._look().position()
        left = self._number(f"SELECT count(*) FROM {self.rows}")
        self.left = self._among_left if left else "false"

    @property
    def _among_left(self) -> str:
        return f"{self.judged.row} IN (SELECT r FROM {self.rows})"

    def _look(self) -> ReadUpTo:
        floor = self._floor()
        if self.before.floor is not None:
            self._leave(self._below(self.before.floor))
        self._leave_known()
        waiting = self.source.newest == "wait"
        near = self._without_place()
        if floor is not None:
            remembered = f" AND {self._among_left}" if waiting else ""
            near += f" OR ({self.column} >= {floor}{remembered})"
        known = self._known(near)
        if waiting and floor is not None:
            self._leave(f"{self.column} >= {floor} AND NOT ({self._without_place()}) AND NOT ({self._among_left})")
        text = None if floor is None else str(self.con.execute(f"SELECT CAST({floor} AS VARCHAR)").fetchall()[0][0])
        return ReadUpTo(text, known, type(self.kind).__name__)

    def _floor(self) -> str | None:
        """Below this value everything is read once this run is published: an expression, or None while there is no value."""
        query = f"SELECT CAST(max({self.column}) AS VARCHAR) FROM {self.judged.table} WHERE NOT ({self._without_place()})"
        highest = self.con.execute(query).fetchall()[0][0]
        if highest is None:
            return None if self.before.floor is None else self._value(self.before.floor)
        lowered = self._lowered(self._value(highest))
        return lowered if self.before.floor is None else f"greatest({lowered}, {self._value(self.before.floor)})"

    def _lowered(self, value: str) -> str:
        lag = self.source.lag
        if isinstance(lag, timedelta):
            if not lag:
                return value
            value = f"{value} - to_microseconds({round(lag.total_seconds() * 1_000_000)})"
        elif lag:
            value = f"{value} - {int(lag)}"
        return f"CAST({value} AS {duckdb_type(self.kind)})"

    def _without_place(self) -> str:
        """A condition: the value says nothing of when the row came. Rows without one, and those at infinity, are near for ever."""
        missing = f"{self.column} IS NULL"
        return f"{missing} OR NOT isfinite({self.column})" if isinstance(self.kind, Float | Date | Timestamp) else missing

    def _value(self, text: str) -> str:
        return f"CAST({literal(text, String())} AS {duckdb_type(self.kind)})"

    def _known(self, near: str) -> dict[str, int]:
        """The rows near the highest value by their digests, those of earlier runs among them."""
        demand_few(self._number(f"SELECT count(*) FROM {self.judged.table} WHERE {near}"), self.source.name, self.cursor)
        counted = f"SELECT {self.digest}, count(*) FROM {self.judged.table} WHERE {near} GROUP BY ALL"
        return {str(digest): int(count) for digest, count in self.con.execute(counted).fetchall()}

    def _leave(self, condition: str) -> None:
        self.con.execute(f"INSERT INTO {self.rows} SELECT {self.judged.row} FROM {self.judged.table} WHERE {condition}")

    def _leave_known(self) -> None:
        """Of rows that are alike, as many as were known: the others are new."""
        if not self.before.known:
            return
        pairs = [[digest, str(count)] for digest, count in self.before.known.items()]
        self.con.execute(
            "CREATE TEMP TABLE known_before AS SELECT p[1] AS d, CAST(p[2] AS BIGINT) AS n FROM (SELECT unnest(?) AS p)",
            [pairs],
        )
        alike = f"SELECT {self.judged.row} AS r, {self.digest} AS d FROM {self.judged.table} WHERE NOT ({self._among_left})"
        numbered = f"SELECT r, d, row_number() OVER (PARTITION BY d ORDER BY r) AS nth FROM ({alike})"
        self.con.execute(f"INSERT INTO {self.rows} SELECT r FROM ({numbered}) JOIN known_before USING (d) WHERE nth <= n")
        self.con.execute("DROP TABLE known_before")

    def _below(self, floor: str) -> str:
        """A condition: everything below the value of the row had been read."""
        return f"coalesce({self.column} < {self._value(floor)} AND NOT ({self._without_place()}), false)"

    def _number(self, query: str) -> int:
        return int(self.con.execute(query).fetchall()[0][0])


def narrowed(source: PlannedSource, before: ReadUpTo) -> Scan:
    """The scan of no more than a run has to look at, where the source can leave the rest where it is. It can where its values are
    compared there as they are here: what a contract casts or tidies is not."""
    scan = source.scan
    if source.cursor is None or scan.by_cursor is None:
        return scan
    cell = next(c for c in source.contract.cells if c.column.name == source.cursor)
    as_it_comes = isinstance(cell.value, ColumnRef) and cell.tidied is None
    return (scan.by_cursor(cell.source, before.floor) if as_it_comes else None) or scan
