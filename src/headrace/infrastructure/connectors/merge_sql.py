"""The statements that bring staged rows into a table of DuckDB, SQLite or PostgreSQL. Not their types, nor when to run them.

`incoming` is a table or view with the staged rows, keys checked; `target` the table. Both are written as SQL.
"""

from __future__ import annotations

from collections.abc import Sequence

from headrace.infrastructure.sql_text import quoted, quoted_list
from headrace.records import record


@record
class Merge:
    """Rows of `columns` on their way into a table, told apart by `key`."""

    target: str
    incoming: str
    columns: Sequence[str]
    key: Sequence[str]
    distinct: str
    """How to ask whether two values differ, when nulls are equal."""

    @property
    def _match(self) -> str:
        return " AND ".join(f"t.{quoted(k)} = i.{quoted(k)}" for k in self.key)

    @property
    def _differs(self) -> str:
        values = [c for c in self.columns if c not in self.key]
        return "(" + (" OR ".join(f"t.{quoted(c)} {self.distinct} i.{quoted(c)}" for c in values) or "1 = 0") + ")"

    def count_changed(self) -> str:
        there = f"SELECT 1 FROM {self.target} AS t WHERE {self._match} AND {self._differs}"
        return f"SELECT count(*) FROM {self.incoming} AS i WHERE EXISTS ({there})"

    def update_changed(self) -> str | None:
        """None when a row is nothing but its key."""
        values = [c for c in self.columns if c not in self.key]
        if not values:
            return None
        sets = ", ".join(f"{quoted(c)} = i.{quoted(c)}" for c in values)
        return f"UPDATE {self.target} AS t SET {sets} FROM {self.incoming} AS i WHERE {self._match} AND {self._differs}"

    def at_once(self) -> str | None:
        """A statement that updates and inserts, whose first result is how many rows were new; None where that takes two statements."""
        return None

    def insert_new(self) -> str:
        names, values = quoted_list(self.columns), quoted_list(self.columns, "i")
        unknown = f"NOT EXISTS (SELECT 1 FROM {self.target} AS t WHERE {self._match})"
        return f"INSERT INTO {self.target} ({names}) SELECT {values} FROM {self.incoming} AS i WHERE {unknown}"


@record
class History(Merge):
    """The same with every version kept. `at` is the time of this publication, written as SQL."""

    at: str
    valid_from: str
    valid_to: str
    is_current: str

    @property
    def _current(self) -> str:
        return f"t.{quoted(self.is_current)}"

    @property
    def _close(self) -> str:
        return f"UPDATE {self.target} AS t SET {quoted(self.valid_to)} = {self.at}, {quoted(self.is_current)} = FALSE"

    def count_changed(self) -> str:
        there = f"SELECT 1 FROM {self.target} AS t WHERE {self._current} AND {self._match} AND {self._differs}"
        return f"SELECT count(*) FROM {self.incoming} AS i WHERE EXISTS ({there})"

    def count_later(self) -> str:
        """How many current versions began after this publication: then it comes too late."""
        return f"SELECT count(*) FROM {self.target} AS t WHERE {self._current} AND t.{quoted(self.valid_from)} > {self.at}"

    def close_changed(self) -> str:
        return f"{self._close} FROM {self.incoming} AS i WHERE {self._current} AND {self._match} AND {self._differs}"

    def close_missing(self) -> str:
        gone = f"NOT EXISTS (SELECT 1 FROM {self.incoming} AS i WHERE {self._match})"
        return f"{self._close} WHERE {self._current} AND {gone}"

    def insert_versions(self) -> str:
        names = quoted_list((*self.columns, self.valid_from, self.valid_to, self.is_current))
        values = f"{quoted_list(self.columns, 'i')}, {self.at}, NULL, TRUE"
        unknown = f"NOT EXISTS (SELECT 1 FROM {self.target} AS t WHERE {self._current} AND {self._match})"
        return f"INSERT INTO {self.target} ({names}) SELECT {values} FROM {self.incoming} AS i WHERE {unknown}"
