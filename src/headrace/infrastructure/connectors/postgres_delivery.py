"""Rows on their way to a table of PostgreSQL while they are still being staged: in a transaction that commits when there is word
that they are published, or never.

The transaction belongs to a thread of its own, which lays the rows out for COPY and waits for the server, while the run goes on.
Not what is done in it (see `table_publication`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from queue import Empty, Full, Queue
from typing import TYPE_CHECKING, Any

from headrace.business.model.schema import Schema
from headrace.business.ports import Publication, Staged
from headrace.errors import RetryableError, RunError

if TYPE_CHECKING:
    import psycopg
    import pyarrow as pa

#: How many batches wait for the server at most.
_ON_THEIR_WAY = 4
_LOOK_EVERY = 0.1


class PostgresDelivery:
    """See `headrace.business.delivery.Delivery`. `load` brings what comes here into the table and commits, when it is allowed to; it is
    carried out on `connection`, which is closed behind it."""

    def __init__(self, schema: Schema, connection: psycopg.Connection[tuple[Any, ...]]) -> None:
        self.schema, self.connection = schema, connection
        self._line: Queue[pa.RecordBatch | None] = Queue(_ON_THEIR_WAY)
        self._word = threading.Event()
        self._published = False
        self._staged: Staged | None = None
        self._done: Publication | None = None
        self._failure: Exception | None = None
        self._thread: threading.Thread | None = None

    def begin(self, load: Callable[[], Publication]) -> None:
        self._thread = threading.Thread(target=self._carry_out, args=(load,), name="headrace-delivery", daemon=True)
        self._thread.start()

    # The run ---------------------------------------------------------------------------------------------------------

    def take(self, rows: pa.RecordBatch) -> None:
        self._put(rows)

    def complete(self, staged: Staged) -> None:
        self._staged = staged
        self._put(None)

    def publish(self) -> Publication:
        self._published = True
        self._word.set()
        while self._goes_on():
            self._join()
        if self._failure is not None:
            raise self._failure
        if self._done is None:
            raise _not_wanted()
        return self._done

    def close(self) -> None:
        """Whatever is not committed yet is undone by the server when the connection is gone."""
        import psycopg

        self._word.set()
        while self._goes_on():
            with suppress(Empty):
                self._line.get_nowait()
            with suppress(Full):
                self._line.put_nowait(None)
            with suppress(psycopg.Error):
                self.connection.cancel_safe(timeout=1)
            self._join()

    def _put(self, rows: pa.RecordBatch | None) -> None:
        while self._goes_on():
            with suppress(Full):
                self._line.put(rows, timeout=_LOOK_EVERY)
                return

    def _goes_on(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _join(self) -> None:
        if self._thread is not None:
            self._thread.join(_LOOK_EVERY)

    # The thread of the transaction -----------------------------------------------------------------------------------

    @property
    def rows(self) -> int:
        """How many were staged."""
        return self._staged.rows if self._staged is not None else -1

    def batches(self) -> Iterator[pa.RecordBatch]:
        while (batch := self._line.get()) is not None:
            yield batch
        if self._staged is None:
            raise _not_wanted()

    def wait_for_word(self) -> None:
        self._word.wait()
        if not self._published:
            raise _not_wanted()

    def _carry_out(self, load: Callable[[], Publication]) -> None:
        try:
            with self.connection:
                self._done = load()
        except Exception as error:  # noqa: BLE001 - raised again where the rows are to count
            self._failure = error


def _not_wanted() -> RunError:
    """What undoes the transaction; nobody hears of it."""
    return RetryableError("the run ended without publishing these rows")
