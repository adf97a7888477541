"""The statements of `merge_sql` as MySQL and MariaDB understand them: updates by a join, texts compared by their bytes."""

from __future__ import annotations

from headrace.infrastructure.connectors.merge_sql import History, Merge
from headrace.infrastructure.sql_text import quoted, quoted_list
from headrace.records import record


@record
class MySQLMerge(Merge):
    texts: frozenset[str] = frozenset()
    """The columns that hold text. The table may compare theirs by a collation that takes some for the same that are not."""

    @property
    def _match(self) -> str:
        return _matched(self)

    @property
    def _differs(self) -> str:
        return _differing(self)

    def update_changed(self) -> str | None:
        values = [c for c in self.columns if c not in self.key]
        if not values:
            return None
        sets = ", ".join(f"t.{quoted(c)} = i.{quoted(c)}" for c in values)
        return f"UPDATE {self._met} ON {self._match} SET {sets} WHERE {self._differs}"

    @property
    def _met(self) -> str:
        return f"{self.target} AS t JOIN {self.incoming} AS i"


@record
class MySQLEpochMerge(MySQLMerge):
    """Of rows that have no index, into a table that has one on the key, by which each of them is looked up, in their order. What a server
    knows of a table that grows all the time is out of date, and left to itself it may go through the whole table for each row."""

    index: str = ""

    def insert_new(self) -> str:
        names, values = quoted_list(self.columns), quoted_list(self.columns, "i")
        unknown = f"NOT EXISTS (SELECT 1 FROM {self._table} WHERE {self._match})"
        return f"INSERT INTO {self.target} ({names}) SELECT {values} FROM {self.incoming} AS i WHERE {unknown}"

    @property
    def _met(self) -> str:
        return f"{self.incoming} AS i STRAIGHT_JOIN {self._table}"

    @property
    def _table(self) -> str:
        return f"{self.target} AS t FORCE INDEX ({quoted(self.index)})"


@record
class MySQLHistory(History):
    texts: frozenset[str] = frozenset()

    @property
    def _match(self) -> str:
        return _matched(self)

    @property
    def _differs(self) -> str:
        return _differing(self)

    def close_changed(self) -> str:
        sets = f"t.{quoted(self.valid_to)} = {self.at}, t.{quoted(self.is_current)} = FALSE"
        joined = f"UPDATE {self.target} AS t JOIN {self.incoming} AS i ON {self._match}"
        return f"{joined} SET {sets} WHERE {self._current} AND {self._differs}"


def _matched(by: MySQLMerge | MySQLHistory) -> str:
    """By the values first, for which there is an index, and then by the bytes of those that are text."""
    alike = [f"t.{quoted(k)} = i.{quoted(k)}" for k in by.key]
    exact = [f"CAST(t.{quoted(k)} AS BINARY) = CAST(i.{quoted(k)} AS BINARY)" for k in by.key if k in by.texts]
    return " AND ".join([*alike, *exact])


def _differing(by: MySQLMerge | MySQLHistory) -> str:
    def pair(name: str) -> str:
        there, here = f"t.{quoted(name)}", f"i.{quoted(name)}"
        return f"CAST({there} AS BINARY) <=> CAST({here} AS BINARY)" if name in by.texts else f"{there} <=> {here}"

    values = [f"NOT ({pair(name)})" for name in by.columns if name not in by.key]
    return "(" + (" OR ".join(values) or "1 = 0") + ")"
