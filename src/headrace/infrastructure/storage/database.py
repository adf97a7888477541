"""The database that a project keeps its state in: SQLite or PostgreSQL, behind one small port. Not what is kept there.

Statements are written once, in the SQL that both understand, with parameters as `:name`. A writing transaction is the only
writer of the whole database; that is what makes the log's order dense, and the queue's decisions simple to reason about.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Literal, Protocol, TypeVar

T = TypeVar("T")
Row = Sequence[Any]
Values = Mapping[str, Any]


class Transaction(Protocol):
    """A connection in a transaction."""

    def run(self, statement: str, values: Values | None = None) -> int:
        """Carry out a statement; the number of rows it changed."""
        ...

    def put(self, statement: str, values: Values | None = None) -> None:
        """Carry out a statement of which nothing is asked. Over a network it goes along with the next question, or the commit."""
        ...

    def insert(self, table: str, rows: Sequence[Values]) -> None:
        """Put rows into a table, all with the same columns. Nothing is asked of this either."""
        ...

    def rows(self, query: str, values: Values | None = None) -> Sequence[Row]: ...

    def lease_clock(self) -> tuple[str, float]:
        """A clock for leases that all workers share, and that no one sets: its name, and seconds. A time of a clock with another
        name is long past."""
        ...

    def script(self, text: str) -> None:
        """Carry out several statements, parted by semicolons at the ends of lines."""
        ...


class Database(Protocol):
    """Where the state is. All methods raise `RetryableError` when the database cannot be reached for long."""

    @property
    def kind(self) -> Literal["sqlite", "postgres"]: ...

    @property
    def shown(self) -> str:
        """Where it is, for people, without secrets."""
        ...

    def exists(self) -> bool:
        """Whether there is anything to read yet."""
        ...

    def reading(self) -> AbstractContextManager[Transaction]:
        """One consistent state of everything, for one question, or for more than can be asked again. A connection that breaks behind
        the first answer is an error."""
        ...

    def read(self, act: Callable[[Transaction], T]) -> T:
        """Ask several questions of one consistent state. All are asked again, of another state, when the connection breaks between."""
        ...

    def write(self, act: Callable[[Transaction], T], landed: Callable[[Transaction], T | None] | None = None) -> T:
        """Carry out `act` in a transaction that is the only writer, and commit.

        A connection that breaks at the commit leaves open whether it happened. Then `landed` is asked first, in a new
        transaction: it gives what `act` would have returned if its work is there, else None, and `act` is carried out again.
        """
        ...

    def shrink(self) -> None:
        """Give the room of rows that were removed back to the disk, as far as the database does not do so by itself."""
        ...

    def close(self) -> None: ...


def parameters(columns: Sequence[str]) -> str:
    """`:a, :b` for columns `a, b`."""
    return ", ".join(f":{name}" for name in columns)
