"""Of a source that is read by cursor, tells the rows that no earlier run has read from the others, and how far it is read now, as the
engine duckdb does: positions and digests are the same, so that a definition may change its engine.

It looks at the checked table before anything is held back, so that the rows of earlier runs are not held back again.
"""

from __future__ import annotations

from datetime import timedelta

from headrace.business.model.types import Date, Float, Interval, String, Timestamp
from headrace.business.processing.expressions.ir import Cast, ColumnRef
from headrace.business.processing.increments import ReadUpTo, demand_few, demand_same_kind
from headrace.business.processing.plan import PlannedSource
from headrace.infrastructure.engines.postgres.checked import Checked
from headrace.infrastructure.engines.postgres.connection import Connection
from headrace.infrastructure.engines.postgres.dialect import DIALECT
from headrace.infrastructure.engines.postgres.intake import ROW

_identifier = DIALECT.identifier


class Increment:
    """One reading of one source. `left` is a condition on the checked table: the row is none of this run's. `position` is how far the
    source is read when the others are published."""

    def __init__(
        self, connection: Connection, source: PlannedSource, cursor: str, checked: Checked, before: ReadUpTo, rows: str
    ) -> None:
        self.connection, self.source, self.cursor, self.checked, self.before = connection, source, cursor, checked, before
        self.kind, self.rows = source.schema[cursor].type, rows
        self.column = DIALECT.ordered(_identifier(cursor), self.kind)
        demand_same_kind(before, self.kind, source.name, cursor)
        values = (self._text(_identifier(n), n) for n in source.identity or tuple(checked.kept))
        cells = ", ".join(f"coalesce(to_json({value})::text, 'null')" for value in values)
        self.digest = f"md5('[' || concat_ws(',', {cells}) || ']')"
        self.connection.run(f"CREATE UNLOGGED TABLE {rows} (r bigint)")
        self.position = self._look().position()
        left = self._number(f"SELECT count(*) FROM {rows}")
        self.left = f"{ROW} IN (SELECT r FROM {rows})" if left else "false"
        if left and checked.masks:
            zero = ", ".join(f"{mask} = 0" for mask in checked.masks)
            self.connection.run(f"UPDATE {checked.table} SET {zero} WHERE ({checked.any_bit()}) AND {self.left}")

    def _look(self) -> ReadUpTo:
        floor = self._floor()
        if self.before.floor is not None:
            self._leave(self._below(self.before.floor))
        self._leave_known()
        waiting = self.source.newest == "wait"
        near = self._without_place()
        if floor is not None:
            remembered = f" AND {ROW} IN (SELECT r FROM {self.rows})" if waiting else ""
            near += f" OR ({self.column} >= {floor}{remembered})"
        known = self._known(near)
        if waiting and floor is not None:
            unknown = f"{ROW} NOT IN (SELECT r FROM {self.rows})"
            self._leave(f"{self.column} >= {floor} AND NOT ({self._without_place()}) AND {unknown}")
        text = None if floor is None else str(self.connection.rows(f"SELECT {self._text(floor, self.cursor)}")[0][0])
        return ReadUpTo(text, known, type(self.kind).__name__)

    def _floor(self) -> str | None:
        """Below this value everything is read once this run is published: an expression, or None while there is no value."""
        highest = self._text(f"max({self.column})", self.cursor)
        found = self.connection.rows(f"SELECT {highest} FROM {self.checked.table} WHERE NOT ({self._without_place()})")[0][0]
        if found is None:
            return None if self.before.floor is None else self._value(self.before.floor)
        lowered = self._lowered(self._value(found))
        return lowered if self.before.floor is None else f"greatest({lowered}, {self._value(self.before.floor)})"

    def _lowered(self, value: str) -> str:
        lag = self.source.lag
        if isinstance(lag, timedelta):
            if not lag:
                return value
            value = f"{value} - {DIALECT.literal(lag, Interval())}"
        elif lag:
            value = f"{value} - {int(lag)}"
        return f"CAST({value} AS {DIALECT.type_name(self.kind)})"

    def _without_place(self) -> str:
        """A condition: the value says nothing of when the row came. Rows without one, and those at infinity, are near for ever."""
        name = _identifier(self.cursor)
        if isinstance(self.kind, Float):
            return f"{name} IS NULL OR {name} IN ('NaN', 'Infinity', '-Infinity')"
        return f"{name} IS NULL OR NOT isfinite({name})" if isinstance(self.kind, Date | Timestamp) else f"{name} IS NULL"

    def _value(self, text: str) -> str:
        value = f"CAST({DIALECT.literal(text, String())} AS {DIALECT.type_name(self.kind)})"
        return DIALECT.ordered(value, self.kind)

    def _text(self, value: str, column: str) -> str:
        kind = self.source.schema[column].type
        return value if isinstance(kind, String) else DIALECT.cast(Cast(String(), ColumnRef(kind, column)), value)

    def _known(self, near: str) -> dict[str, int]:
        """The rows near the highest value by their digests, those of earlier runs among them."""
        demand_few(self._number(f"SELECT count(*) FROM {self.checked.table} WHERE {near}"), self.source.name, self.cursor)
        found = self.connection.rows(f"SELECT {self.digest}, count(*) FROM {self.checked.table} WHERE {near} GROUP BY 1")
        return {str(digest): int(count) for digest, count in found}

    def _leave(self, condition: str) -> None:
        self.connection.run(f"INSERT INTO {self.rows} SELECT {ROW} FROM {self.checked.table} WHERE {condition}")

    def _leave_known(self) -> None:
        """Of rows that are alike, as many as were known: the others are new."""
        if not self.before.known:
            return
        pairs = ", ".join(f"({DIALECT.literal(digest, String())}, {count:d})" for digest, count in self.before.known.items())
        alike = (
            f"SELECT {ROW} AS r, {self.digest} AS d FROM {self.checked.table} WHERE {ROW} NOT IN (SELECT r FROM {self.rows})"
        )
        numbered = f"SELECT r, d, row_number() OVER (PARTITION BY d ORDER BY r) AS nth FROM ({alike}) AS alike"
        self.connection.run(
            f"INSERT INTO {self.rows} SELECT r FROM ({numbered}) AS numbered JOIN (VALUES {pairs}) AS known(d, n) USING (d) WHERE nth <= n"
        )

    def _below(self, floor: str) -> str:
        """A condition: everything below the value of the row had been read."""
        return f"coalesce({self.column} < {self._value(floor)} AND NOT ({self._without_place()}), false)"

    def _number(self, query: str) -> int:
        return int(self.connection.rows(query)[0][0])
