"""Reads parts of something side by side, each in a thread of its own. Rows come as they arrive, in no order. Not what is read."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import pyarrow as pa

#: Batches that lie ready, for each reader, before it waits.
_AHEAD = 2
_PATIENCE = 0.2

Part = TypeVar("Part")


def side_by_side(parts: Sequence[Part], read: Callable[[Part], Iterator[pa.RecordBatch]]) -> Iterator[pa.RecordBatch]:
    """The batches of all parts, each read in a thread of its own. The first error ends all of them, and is raised here."""
    handed = _Handed(_AHEAD * len(parts))
    with ThreadPoolExecutor(len(parts), thread_name_prefix="headrace-read") as readers:
        reading = [readers.submit(handed.over, number, read(part)) for number, part in enumerate(parts)]
        try:
            left = len(parts)
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
        """Hand over one part. A generator closes its connection in the thread that opened it."""
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
