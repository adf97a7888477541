"""The statements that bring staged rows into a table of Snowflake, where they are not those of `merge_sql`: there is MERGE, and an UPDATE
promises no short name for its table, so that it goes by the whole one.
"""

from __future__ import annotations

from headrace.infrastructure.connectors.merge_sql import History, Merge
from headrace.infrastructure.sql_text import quoted, quoted_list
from headrace.records import record


@record
class SnowflakeMerge(Merge):
    """Rows of `columns` on their way into a table, told apart by `key`."""

    def at_once(self) -> str:
        sets = ", ".join(f"{quoted(c)} = i.{quoted(c)}" for c in self.columns if c not in self.key)
        update = f"WHEN MATCHED AND {self._differs} THEN UPDATE SET {sets} " if sets else ""
        insert = f"WHEN NOT MATCHED THEN INSERT ({quoted_list(self.columns)}) VALUES ({quoted_list(self.columns, 'i')})"
        return f"MERGE INTO {self.target} AS t USING {self.incoming} AS i ON {self._match} {update}{insert}"


@record
class SnowflakeHistory(History):
    """The same with every version kept."""

    def close_changed(self) -> str:
        return f"{self._ending} FROM {self.incoming} AS i WHERE {self._valid} AND {_same(self)} AND {_different(self)}"

    def close_missing(self) -> str:
        return f"{self._ending} WHERE {self._valid} AND NOT EXISTS (SELECT 1 FROM {self.incoming} AS i WHERE {_same(self)})"

    @property
    def _valid(self) -> str:
        return f"{self.target}.{quoted(self.is_current)}"

    @property
    def _ending(self) -> str:
        return f"UPDATE {self.target} SET {quoted(self.valid_to)} = {self.at}, {quoted(self.is_current)} = FALSE"


def _same(merge: Merge) -> str:
    return " AND ".join(f"{merge.target}.{quoted(k)} = i.{quoted(k)}" for k in merge.key)


def _different(merge: Merge) -> str:
    values = [c for c in merge.columns if c not in merge.key]
    differing = (f"{merge.target}.{quoted(c)} {merge.distinct} i.{quoted(c)}" for c in values)
    return "(" + (" OR ".join(differing) or "1 = 0") + ")"
