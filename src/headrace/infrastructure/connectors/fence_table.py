"""The tokens that a table has seen: rows of another table beside it, changed in the transaction that publishes. Not who is refused."""

from __future__ import annotations

from dataclasses import dataclass

from headrace.business.ports import Fence
from headrace.infrastructure.connectors.fences import FAR_BEHIND, counts_of_runs
from headrace.infrastructure.connectors.ledger_table import Statements
from headrace.infrastructure.sql_text import literal

#: The name of the table that holds the tokens of all tables beside it.
NAME = "_headrace_fences"


@dataclass(frozen=True, slots=True)
class FenceTable:
    """The tokens of `target` in the table `table`, written as SQL. It is made when there is a first one to remember."""

    db: Statements
    table: str
    target: str
    text: str = "TEXT"
    """The type of texts there."""

    def highest(self, pipeline: str, issuer: str) -> int | None:
        if not self.db.has(NAME):
            return None
        found = self.db.rows(f'SELECT max("token") FROM {self.table} WHERE {self._of(pipeline, issuer)}')[0][0]
        return None if found is None else int(found)

    def remember(self, pipeline: str, fence: Fence) -> None:
        if self.db.has(NAME):
            self.db.run(f"DELETE FROM {self.table} WHERE {self._of(pipeline, fence.issuer)}")
            if beside := counts_of_runs(fence):
                beginning = f'substr("issuer", 1, {len(beside)}) = {literal(beside)}'
                old = f'{beginning} AND "token" < {fence.token - FAR_BEHIND:d}'
                self.db.run(f"DELETE FROM {self.table} WHERE {self._of(pipeline)} AND {old}")
        else:
            texts = ", ".join(f'"{name}" {self.text} NOT NULL' for name in ("target", "pipeline", "issuer"))
            self.db.run(f'CREATE TABLE {self.table} ({texts}, "token" BIGINT NOT NULL)')
        values = ", ".join(map(literal, (self.target, pipeline, fence.issuer)))
        self.db.run(f"INSERT INTO {self.table} VALUES ({values}, {fence.token:d})")

    def _of(self, pipeline: str, issuer: str | None = None) -> str:
        wanted = {"target": self.target, "pipeline": pipeline} | ({} if issuer is None else {"issuer": issuer})
        return " AND ".join(f'"{name}" = {literal(value)}' for name, value in wanted.items())
