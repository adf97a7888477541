"""What a merge does to files: which rows leave the file they are in, and which come in a new one. Not the writing of either.

Files are never changed. A file that loses rows is written again without them, any other stays the file that it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from headrace.business.model.schema import Schema
from headrace.business.model.types import Json
from headrace.infrastructure.connectors.duckdb_types import duckdb_type
from headrace.infrastructure.connectors.history import instant
from headrace.infrastructure.connectors.publishing import PublishingOptions
from headrace.infrastructure.connectors.staged_rows import INCOMING, scalar
from headrace.infrastructure.duckdb_connection import Connection
from headrace.infrastructure.sql_text import quoted, quoted_list
from headrace.records import record

EXISTING, MATCHED, LEAVING = "existing", "matched", "leaving"


@record
class Changes:
    """The rows that come in, as a query; how many leave each file; and the counts."""

    added: str
    leaving: Mapping[str, int]
    inserted: int
    updated: int
    unchanged: int
    closed: int = 0


@record
class FileMerge:
    """A merge of `incoming` into `existing`, two views of a connection. `schema` is the target's, with its history columns."""

    con: Connection
    options: PublishingOptions
    schema: Schema
    staged: Schema
    file_column: str
    at: datetime

    def changes(self) -> Changes:
        key = quoted_list(self.options.key)
        self._match()
        self.con.execute(f"CREATE OR REPLACE TEMP TABLE {LEAVING} AS {self._leaving()}")
        found = self.con.execute(f"SELECT {quoted(self.file_column)}, count(*) FROM {LEAVING} GROUP BY ALL").fetchall()
        total = scalar(self.con, f"SELECT count(*) FROM {INCOMING}")
        known = scalar(self.con, f"SELECT count(*) FROM (SELECT DISTINCT {key} FROM {MATCHED})")
        updated = scalar(self.con, f"SELECT count(*) FROM (SELECT DISTINCT {key} FROM {MATCHED} WHERE differs)")
        history = bool(self.options.history)
        closed = sum(n for _, n in found) - scalar(self.con, f"SELECT count(*) FROM {MATCHED} WHERE differs") if history else 0
        added = self._versions() if history else self._rows()
        return Changes(added, {str(f): int(n) for f, n in found}, total - known, updated, known - updated, closed)

    def remaining(self, relation: str) -> str:
        """The rows of a relation that do not leave it."""
        gone = f"EXISTS (SELECT 1 FROM {LEAVING} AS l WHERE {self._same('l', 'e')})"
        columns = quoted_list(self.schema.names, "e")
        return f"SELECT {columns} FROM {relation} AS e WHERE NOT ({self._in_force('e')} AND {gone})"

    def _match(self) -> None:
        values = [c for c in self.staged.names if c not in self.options.key]
        differs = " OR ".join(f"{self._value('e', c)} IS DISTINCT FROM {self._value('i', c)}" for c in values) or "false"
        self.con.execute(
            f"CREATE OR REPLACE TEMP TABLE {MATCHED} AS SELECT {quoted_list(self.options.key, 'i')}, "
            f"e.{quoted(self.file_column)} AS {quoted(self.file_column)}, ({differs}) AS differs "
            f"FROM {EXISTING} AS e JOIN {INCOMING} AS i ON {self._same('e', 'i')} WHERE {self._in_force('e')}"
        )

    def _value(self, owner: str, name: str) -> str:
        """A value to compare: of JSON what it says, and not how it is spaced, which JSON Lines does not keep."""
        value = f"{owner}.{quoted(name)}"
        return f"json({value})" if isinstance(self.staged[name].type, Json) else value

    def _leaving(self) -> str:
        columns = quoted_list((*self.options.key, self.file_column))
        changed = f"SELECT {columns} FROM {MATCHED} WHERE differs"
        if self.options.mode != "scd2" or self.options.deleted == "keep":
            return changed
        gone = f"NOT EXISTS (SELECT 1 FROM {INCOMING} AS i WHERE {self._same('e', 'i')})"
        return f"{changed} UNION ALL SELECT {columns} FROM {EXISTING} AS e WHERE {self._in_force('e')} AND {gone}"

    def _rows(self) -> str:
        """New and changed rows; what the incoming ones do not have, changed rows keep."""
        columns = ", ".join(
            f"{'i' if c.name in self.staged else 'e'}.{quoted(c.name)}" for c in self.schema
        )  # fmt: skip
        unchanged = f"SELECT 1 FROM {MATCHED} AS m WHERE NOT m.differs AND {self._same('m', 'i')}"
        join = f"{INCOMING} AS i LEFT JOIN {EXISTING} AS e ON {self._same('e', 'i')}"
        return f"SELECT {columns} FROM {join} WHERE NOT EXISTS ({unchanged})"

    def _versions(self) -> str:
        """The closed versions, and the new ones."""
        at = instant(self.at)
        closing = {self.options.valid_to: at, self.options.is_current: "false"}
        closed = ", ".join(f"{closing.get(c, f'e.{quoted(c)}')} AS {quoted(c)}" for c in self.schema.names)
        left = f"EXISTS (SELECT 1 FROM {LEAVING} AS l WHERE {self._same('l', 'e')})"
        unchanged = f"SELECT 1 FROM {MATCHED} AS m WHERE NOT m.differs AND {self._same('m', 'i')}"
        return (
            f"SELECT {closed} FROM {EXISTING} AS e WHERE {self._in_force('e')} AND {left} UNION ALL "
            f"{first_versions(self.schema, self.staged, self.options, self.at)} WHERE NOT EXISTS ({unchanged})"
        )

    def is_late(self) -> bool:
        """Whether versions are there that began after this publication."""
        later = f"e.{quoted(self.options.valid_from)} > {instant(self.at)}"
        count = f"SELECT count(*) FROM {EXISTING} AS e WHERE {self._in_force('e')} AND {later}"
        return bool(self.options.history) and scalar(self.con, count) > 0

    def _same(self, a: str, b: str) -> str:
        return " AND ".join(f"{a}.{quoted(k)} = {b}.{quoted(k)}" for k in self.options.key)

    def _in_force(self, owner: str) -> str:
        return f"coalesce({owner}.{quoted(self.options.is_current)}, false)" if self.options.history else "true"


def first_versions(schema: Schema, staged: Schema, options: PublishingOptions, at: datetime) -> str:
    """A query of the incoming rows in the target's columns, as versions that begin now when there is a history."""
    begin = (
        dict(zip(options.history, (instant(at), "CAST(NULL AS TIMESTAMPTZ)", "true"), strict=True)) if options.history else {}
    )

    def value(name: str) -> str:
        kind = duckdb_type(schema[name].type)
        return begin.get(name) or (f"CAST(i.{quoted(name)} AS {kind})" if name in staged else f"CAST(NULL AS {kind})")

    columns = ", ".join(f"{value(name)} AS {quoted(name)}" for name in schema.names)
    return f"SELECT {columns} FROM {INCOMING} AS i"
