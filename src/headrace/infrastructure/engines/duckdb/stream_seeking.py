"""Statements about rows that come and those that are kept of the same keys, where much is kept. Not what the statements say.

Beside each row that is kept stands the number of its keys. Of the rows that come DuckDB makes a filter of numbers, which its scan
applies to that one column; of the others it reads what the few rows need that are left.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from headrace.infrastructure.engines.duckdb.stream_statements import Prepared, Statements
from headrace.infrastructure.engines.duckdb.stream_table import Kept, StateTable

if TYPE_CHECKING:
    import pyarrow as pa

#: Where fewer rows are kept, or not so many times as many as come, to look through all of them is cheaper than the filter.
MANY, TIMES = 50_000, 16


class Seeker:
    """A statement that reads of a table the rows alone that have a key of others. `made` gives it, of what stands after FROM for them."""

    def __init__(self, statements: Statements, table: StateTable, sought: str | None, made: Callable[[str], str]) -> None:
        """`sought` is a query of the numbers of those keys; None where there are none."""
        self.statements, self.table = statements, table
        self._made, self._sought = made, sought
        self._through_all = Kept(table, made)
        self._through_few: Prepared | None = None

    def rows(self, came: int, **given: int) -> pa.Table:
        """What it gives where about so many rows have come."""
        many = self.table.many
        if self._sought is None or self.table.place is not many or self.table.about < MANY + TIMES * came:
            return self._through_all.rows(**given)
        if self._through_few is None:  # now that there are many rows: DuckDB plans by how many there are
            self._through_few = self.statements.prepare(self._made(many.numbered_in(self._sought)))
        return self.statements.rows(self._through_few, **given)
