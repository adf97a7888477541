"""Keys and references as PostgreSQL finds them. Not what they mean (see `engines.sql.late`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from headrace.business.processing.plan import PlannedSource
from headrace.infrastructure.engines.postgres.checked import Checked
from headrace.infrastructure.engines.postgres.connection import Connection
from headrace.infrastructure.engines.postgres.dialect import DIALECT
from headrace.infrastructure.engines.postgres.intake import ROW
from headrace.infrastructure.engines.sql.late import LateRules


class Late(LateRules):
    """The late findings of one dataset."""

    row = ROW
    creating = "CREATE UNLOGGED TABLE"

    def __init__(self, connection: Connection, source: PlannedSource, checked: Checked, table: str) -> None:
        super().__init__(source, checked, table)
        self.connection = connection

    def run(self, statement: str) -> int:
        return self.connection.run(statement)

    def rows(self, query: str) -> Sequence[Sequence[Any]]:
        return self.connection.rows(query)

    def column(self, name: str) -> str:
        return DIALECT.identifier(name)
