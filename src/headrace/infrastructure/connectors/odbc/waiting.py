"""Has a thread wait for a driver, so that whoever asked goes on hearing signals: drivers hear none while they wait for a database.

A call of ODBC cannot be broken off from here. Who is interrupted leaves the thread to itself; it ends with the call, or with the process.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import pyarrow as pa

T = TypeVar("T")

#: How often a waiting caller looks up: the system may give a signal to the other thread, and then it does not wake this one.
_PATIENCE = 0.2


def waited_for(work: Callable[[], T]) -> T:
    """What some work comes to that may wait for long."""
    line = _Line()
    try:
        return line.send(work)
    finally:
        line.close()


def batches_waited_for(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The batches of a generator, all of which takes place in a thread of its own."""
    line = _Line()
    try:
        while (batch := line.send(lambda: next(batches, None))) is not None:
            yield batch
        line.send(batches.close)  # type: ignore[attr-defined]
    except GeneratorExit:  # nothing is under way: what was opened is closed before anybody goes on
        line.send(batches.close)  # type: ignore[attr-defined]
        raise
    finally:
        line.close()


class _Line:
    """The way to a thread, which does one thing after another."""

    def __init__(self) -> None:
        self._errands: SimpleQueue[Callable[[], Any] | None] = SimpleQueue()
        self._results: SimpleQueue[tuple[Any, BaseException | None]] = SimpleQueue()
        threading.Thread(target=self._serve, name="headrace-odbc", daemon=True).start()

    def send(self, work: Callable[[], T]) -> T:
        self._errands.put(work)
        while True:
            with suppress(Empty):
                found, error = self._results.get(timeout=_PATIENCE)
                break
        if error is not None:
            raise error
        return found  # type: ignore[no-any-return]

    def close(self) -> None:
        self._errands.put(None)

    def _serve(self) -> None:
        while (work := self._errands.get()) is not None:
            try:
                self._results.put((work(), None))
            except BaseException as error:  # noqa: BLE001 - raised again where the result is wanted
                self._results.put((None, error))
            del work
