"""Keys and references as DuckDB finds them. Not what they mean (see `engines.sql.late`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from headrace.business.processing.plan import PlannedSource
from headrace.infrastructure.duckdb_connection import Connection
from headrace.infrastructure.engines.duckdb.checked import Checked, stored
from headrace.infrastructure.engines.duckdb.literals import identifier
from headrace.infrastructure.engines.sql.late import LateRules


class Late(LateRules):
    """The late findings of one dataset."""

    row = "rowid"
    creating = "CREATE TABLE"

    def __init__(self, con: Connection, source: PlannedSource, checked: Checked) -> None:
        super().__init__(source, checked, identifier(f"late {source.name}"))
        self.con = con

    def run(self, statement: str) -> int:
        found = self.con.execute(statement).fetchall()
        return int(found[0][0]) if found else 0

    def rows(self, query: str) -> Sequence[Sequence[Any]]:
        return self.con.execute(query).fetchall()

    def column(self, name: str) -> str:
        return identifier(name)

    def stored(self, name: str) -> str:
        return stored(name)
