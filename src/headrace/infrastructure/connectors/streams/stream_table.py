"""How far streams have come in a table: rows of another table beside it, changed in the transaction that brings the rows of an epoch.

A stream has one row, which says who holds it: the last who took it. Whoever advances it has to be that one, so that one statement finds out
whether the epoch is new, whether its bringer may bring it, and keeps all others waiting. Not who may take it (see `fences`).
"""

from __future__ import annotations

from dataclasses import dataclass

from headrace.business.ports import Fence
from headrace.errors import LeaseLost
from headrace.infrastructure.connectors.ledger_table import Statements
from headrace.infrastructure.sql_text import literal

#: The name of the table that holds the streams into all tables beside it.
NAME = "_headrace_streams"


@dataclass(frozen=True, slots=True)
class StreamTable:
    """The streams into `target` in the table `table`, written as SQL."""

    db: Statements
    table: str
    target: str
    text: str = "TEXT"
    """The type of texts there."""
    keys: str = ""
    """What else is said of the table when it is made, such as a key where rows without one could not be locked one by one."""

    def take(self, stream: str, fence: Fence, *, anew: bool) -> int:
        """Hold the stream from now on; its last epoch. `anew` it begins with none, since its rows are gone."""
        issuer, epoch = literal(fence.issuer), ', "epoch" = 0' if anew else ""
        if not self.db.has(NAME):
            texts = ", ".join(f'"{name}" {self.text} NOT NULL' for name in ("target", "stream", "issuer"))
            self.db.run(f'CREATE TABLE {self.table} ({texts}, "token" BIGINT NOT NULL, "epoch" BIGINT NOT NULL{self.keys})')
        holding = f'UPDATE {self.table} SET "issuer" = {issuer}, "token" = {fence.token:d}{epoch} WHERE {self._of(stream)}'
        if self.db.run(holding):  # which waits for the epoch that somebody may just be bringing, so that it is counted
            return int(self.db.rows(f'SELECT "epoch" FROM {self.table} WHERE {self._of(stream)}')[0][0])
        values = f"{literal(self.target)}, {literal(stream)}, {issuer}, {fence.token:d}, 0"
        self.db.run(f"INSERT INTO {self.table} VALUES ({values})")
        return 0

    def advance(self, stream: str, fence: Fence, epoch: int) -> bool:
        """Go on to an epoch; False when it counts already. Raises `LeaseLost` when another holds the stream."""
        ours = f'{self._of(stream)} AND "issuer" = {literal(fence.issuer)} AND "token" = {fence.token:d}'
        if self.db.run(f'UPDATE {self.table} SET "epoch" = {epoch:d} WHERE {ours} AND "epoch" < {epoch:d}'):
            return True
        if self.db.rows(f"SELECT 1 FROM {self.table} WHERE {ours}"):
            return False
        raise LeaseLost(
            f"{self.target}: another worker took the stream `{stream}` over; nothing was changed here",
            hint="let the other worker go on with it; this one must not",
        )

    def _of(self, stream: str) -> str:
        return f'"target" = {literal(self.target)} AND "stream" = {literal(stream)}'
