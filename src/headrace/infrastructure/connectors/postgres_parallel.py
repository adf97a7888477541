"""Reads a table of PostgreSQL over several connections at once: each a range of its pages, all within one exported snapshot.

Rows come as they arrive, in no order. Not what is read of each row (see `postgres_columns`).
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
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
    handed = _Handed(_AHEAD * len(ranges))
    with ThreadPoolExecutor(len(ranges), thread_name_prefix="headrace-read") as readers:
        reading = [readers.submit(handed.over, number, read(part)) for number, part in enumerate(ranges)]
        try:
            left = len(ranges)
            while left:
                thing = handed.ready.get()
                if isinstance(thing, int):
                    reading[thing].result()  # raises what ended it
                    left -= 1
                else:
                    yield thing
        finally:
            handed.stopping.set()


class _Handed:
    """What the threads that read hand over to the one that asked: batches, and the number of a reader that has ended."""

    def __init__(self, most: int) -> None:
        self.ready: queue.Queue[Any] = queue.Queue(most)
        self.stopping = threading.Event()

    def over(self, number: int, batches: Iterator[pa.RecordBatch]) -> None:
        """Hand over one range. A generator closes its connection in the thread that opened it."""
        try:
            for batch in batches:
                self._put(batch)
                if self.stopping.is_set():
                    return
        finally:
            batches.close()  # type: ignore[attr-defined]
            self._put(number)

    def _put(self, thing: Any) -> None:
        while not self.stopping.is_set():
            try:
                self.ready.put(thing, timeout=_PATIENCE)
            except queue.Full:
                continue
            return
