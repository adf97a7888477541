"""The ledger of a table: rows of another table beside it, changed in the same transaction. Not what an entry means (see `ledger`)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from headrace.business.ports import Checkpoint
from headrace.infrastructure.connectors.ledger import Entry, Ledger, Mode, from_json, remainders, to_json
from headrace.infrastructure.sql_text import literal
from headrace.records import record

#: The name of the table that holds the ledgers of all tables beside it.
NAME = "_headrace_ledger"

_COLUMNS = ("target", "position", "name", "pipeline", "run", "at", "mode", "inputs", "cursors")


class Statements(Protocol):
    """A connection in a transaction."""

    def run(self, statement: str) -> int:
        """Carry out a statement; the number of rows it changed."""
        ...

    def rows(self, query: str) -> Sequence[Sequence[Any]]: ...

    def has(self, table: str) -> bool:
        """Whether there is a table of this name where the target is, or would be."""
        ...


@record
class LedgerTable:
    """The ledger of `target` in the table `table`, written as SQL."""

    db: Statements
    table: str
    target: str
    text: str = "TEXT"
    """The type of texts there."""

    def create(self) -> None:
        kinds = ", ".join(f'"{name}" {"BIGINT" if name == "position" else self.text} NOT NULL' for name in _COLUMNS)
        self.db.run(f"CREATE TABLE IF NOT EXISTS {self.table} ({kinds})")

    def read(self) -> Ledger:
        """Empty when there is no table of ledgers."""
        return () if not self.db.has(NAME) else tuple(entry for _, entry in self._entries())

    def clear(self) -> None:
        """Forget all: the table that it told of is gone."""
        self.db.run(f"DELETE FROM {self.table} WHERE {self._mine}")

    def extend(self, checkpoint: Checkpoint, mode: Mode) -> None:
        newest, last = Entry(checkpoint, mode), 0
        entries = list(self._entries())
        for (position, entry), left in zip(entries, remainders([entry for _, entry in entries], newest), strict=True):
            last = position
            if left == entry:
                continue
            self.db.run(f'DELETE FROM {self.table} WHERE {self._mine} AND "position" = {position}')
            if left is not None:
                self._insert(position, left)
        self._insert(last + 1, newest)

    @property
    def _mine(self) -> str:
        return f'"target" = {literal(self.target)}'

    def _entries(self) -> Iterator[tuple[int, Entry]]:
        columns = ", ".join(f'"{c}"' for c in _COLUMNS[1:])
        for row in self.db.rows(f'SELECT {columns} FROM {self.table} WHERE {self._mine} ORDER BY "position"'):
            position, *texts = row
            written = dict(zip(_COLUMNS[2:], texts, strict=True))
            written |= {name: json.loads(written[name]) for name in ("inputs", "cursors")}
            yield int(position), from_json(written)

    def _insert(self, position: int, entry: Entry) -> None:
        written = to_json(entry)
        texts = [json.dumps(v) if isinstance(v, dict) else str(v) for v in (written[name] for name in _COLUMNS[2:])]
        values = ", ".join([literal(self.target), str(position), *map(literal, texts)])
        self.db.run(f"INSERT INTO {self.table} VALUES ({values})")
