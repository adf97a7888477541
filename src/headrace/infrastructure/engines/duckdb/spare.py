"""A connection in memory that is opened ahead of its use, and goes from one use to the next. Not what a run may do with it.

To open DuckDB takes longer than all that a small pipeline asks of it, so types are guessed where the run then works; and a process that
knows that a run follows has it opened beside its other work.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headrace.infrastructure.duckdb_connection import Connection


class Spare:
    """At most one connection, made by `open`. Whoever takes it has it alone: it gives it back, or closes it."""

    def __init__(self, open: Callable[[], Connection]) -> None:  # noqa: A002 - the word of the field
        self._open = open
        self._turn = threading.Lock()
        self._there: Connection | None = None

    def prepare(self) -> None:
        """Have one opened, without waiting for it."""
        ready = threading.Event()

        def make() -> None:
            with self._turn:
                ready.set()
                if self._there is None:
                    self._there = self._open()

        threading.Thread(target=make, name="headrace-engine", daemon=True).start()
        ready.wait()  # From here on whoever takes one waits for this, and opens none beside it.

    def take(self) -> Connection:
        with self._turn:
            taken, self._there = self._there, None
        return taken if taken is not None else self._open()

    def give_back(self, con: Connection) -> None:
        with self._turn:
            beside, self._there = self._there, con
        if beside is not None:
            beside.close()

    def close(self) -> None:
        with self._turn:
            left, self._there = self._there, None
        if left is not None:
            left.close()
