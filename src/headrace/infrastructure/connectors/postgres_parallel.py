"""Reads a table of PostgreSQL over several connections at once: each a range of its pages, all within one exported snapshot.

Rows come as they arrive, in no order. Not what is read of each row (see `postgres_columns`).
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

#: Batches that lie ready, for each reader, before it waits.
_AHEAD = 2
_PATIENCE = 0.2

Reader = Callable[[str], Iterator["pa.RecordBatch"]]


def page_ranges(pages: int, parts: int) -> Sequence[str]:
    """Conditions that part a table of so many pages as evenly as can be. The last is open, and there is at least one."""
    parts = max(1, min(parts, pages))
    bounds = [pages * n // parts for n in range(parts)]
    made = []
    for number, low in enumerate(bounds):
        upper = f" AND ctid < '({bounds[number + 1]},0)'" if number + 1 < parts else ""
        made.append(f"ctid >= '({low},0)'{upper}")
    return made


def side_by_side(ranges: Sequence[str], read: Reader) -> Iterator[pa.RecordBatch]:
    """The batches of all ranges, each read in a thread of its own. The first error ends all of them, and is raised here."""
    readers = _Readers(_AHEAD * len(ranges))
    threads = [threading.Thread(target=readers.carry, args=(read(part),), name="headrace-read", daemon=True) for part in ranges]
    for thread in threads:
        thread.start()
    try:
        yield from readers.batches(len(threads))
    finally:
        readers.stopping.set()
        for thread in threads:
            thread.join()


class _Readers:
    """What the threads that read hand over to the one that asked."""

    def __init__(self, most: int) -> None:
        self.ready: queue.Queue[Any] = queue.Queue(most)
        self.stopping = threading.Event()

    def carry(self, batches: Iterator[pa.RecordBatch]) -> None:
        """Hand over one range: its batches, then None; or the error that ended it."""
        try:
            for batch in batches:
                self._put(batch)
                if self.stopping.is_set():
                    return
            self._put(None)
        except Exception as error:  # noqa: BLE001 - it is raised again in the thread that asked
            self._put(error)
        finally:
            batches.close()  # type: ignore[attr-defined]  # a generator, which closes its connection in the thread that opened it

    def batches(self, readers: int) -> Iterator[pa.RecordBatch]:
        while readers:
            thing = self.ready.get()
            if isinstance(thing, Exception):
                raise thing
            if thing is None:
                readers -= 1
            else:
                yield thing

    def _put(self, thing: Any) -> None:
        while not self.stopping.is_set():
            try:
                self.ready.put(thing, timeout=_PATIENCE)
            except queue.Full:
                continue
            return
