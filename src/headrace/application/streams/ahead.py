"""Reads ahead of the work: a thread that polls a feed and reads rows out of messages while those before are worked in. Bounded.

Where little comes, the thread rests a while behind it, or until it is hurried, so that what comes meanwhile is worked in at once: to work
in ten rows takes about as long as to work in a thousand.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from headrace.business.ports import Position
from headrace.business.streams.messages import Decoded, Feed, MessageReader, Messages
from headrace.errors import HeadraceError

#: How many polls may lie ready.
DEPTH = 2
#: What so few messages hold, in bytes of payload, is little.
FEW, SMALL = 2_000, 512 << 10

Read = tuple[Messages, Decoded]


class Ahead:
    """A feed that is read ahead. What a poll raises is raised by `take`, in its place between what was polled before and after it."""

    def __init__(self, feed: Feed, reader: MessageReader, most: int, wait_seconds: float, rest_seconds: float = 0.0) -> None:
        self.feed, self.reader, self.most = feed, reader, most
        self.wait_seconds, self.rest_seconds = wait_seconds, rest_seconds
        self._ready: queue.Queue[Sequence[Read] | BaseException] = queue.Queue(DEPTH)
        self._turn, self._next = threading.Lock(), threading.Lock()
        self._closed, self._hurried = threading.Event(), threading.Event()
        self._resting = self._asked = False
        self._waking = threading.Lock()
        self._go_on = threading.Event()
        self._go_on.set()
        self._drained = False
        self._thread = threading.Thread(target=self._read_on, name="headrace-intake", daemon=True)
        self._thread.start()

    def take(self, wait_seconds: float) -> Sequence[Read]:
        """What was read since the last time, or nothing after a wait. Raises what reading raised; to take again tries again."""
        self._go_on.set()
        try:
            found = self._ready.get(timeout=max(wait_seconds, 0.001))
        except queue.Empty:
            return ()
        if isinstance(found, BaseException):
            raise found
        return found

    def hurry(self) -> bool:
        """End the rest of the thread. Whether there was one: then all that is there now is `pending`, until `take` has given it."""
        with self._waking:
            if self._resting:
                self._asked = True
                self._hurried.set()
            return self._resting

    @property
    def pending(self) -> bool:
        """Whether something lies ready, or is being looked for since the thread was hurried."""
        return self._asked or not self._ready.empty()

    @property
    def exhausted(self) -> bool:
        """Whether nothing can come any more, and all that came was taken."""
        return self._drained and self._ready.empty()

    def partitions(self) -> Sequence[str]:
        with self._between_polls():
            return self.feed.partitions()

    def lag(self) -> Mapping[str, int | None]:
        with self._between_polls():
            return self.feed.lag()

    def acknowledge(self, positions: Mapping[str, Position]) -> None:
        with self._between_polls():
            self.feed.acknowledge(positions)

    def close(self) -> None:
        self._closed.set()
        self._hurried.set()
        self._go_on.set()
        while self._thread.is_alive():
            self._make_room()
            self._thread.join(0.01)
        self.feed.close()

    @contextmanager
    def _between_polls(self) -> Iterator[None]:
        """Behind the poll that is under way and before the next, which would be begun at once if it did not wait for `_next`."""
        with self._next, self._turn:
            yield

    def _read_on(self) -> None:
        polled: Sequence[Messages] = ()
        hurried = False
        while not self._closed.is_set():
            try:
                with self._next:
                    pass
                with self._turn:
                    polled = polled or self.feed.poll(self.most, 0.0 if hurried else self.wait_seconds)
                    ended = not polled and self.feed.exhausted
                found = [(messages, self.reader.read(messages)) for messages in polled if len(messages)]
                polled = ()  # what could not be read for now, because a registry was away, is read again
            except BaseException as error:  # noqa: BLE001 - whoever takes raises it
                self._go_on.clear()
                self._ready.put(error)
                self._asked = False
                if not isinstance(error, HeadraceError):
                    return
                self._go_on.wait()
                continue
            if found or hurried:
                self._ready.put(found)
                self._asked = False
            if ended:
                self._drained = True
                return
            hurried = bool(found) and self._is_little([messages for messages, _ in found]) and self._rest()

    def _rest(self) -> bool:
        """Whether it was ended by somebody who is waiting."""
        with self._waking:
            self._resting = self.rest_seconds > 0
        self._hurried.wait(self.rest_seconds)
        with self._waking:
            hurried, self._resting = self._hurried.is_set(), False
            self._hurried.clear()
        return hurried

    def _is_little(self, polled: Sequence[Messages]) -> bool:
        return sum(map(len, polled)) < min(FEW, self.most) and sum(messages.payloads.nbytes for messages in polled) < SMALL

    def _make_room(self) -> None:
        while not self._ready.empty():
            self._ready.get_nowait()
