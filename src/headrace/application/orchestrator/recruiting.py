"""Takes seats at streams that others lead, each with a process of its own. Not what is done there, nor who leads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from headrace.application.orchestrator.queue import Worker
from headrace.application.orchestrator.seats import Seat, Seats
from headrace.application.orchestrator.worker import LOOK_AGAIN, Child
from headrace.errors import RetryableError


@dataclass
class Recruits:
    """The processes of one worker that have a seat at a stream. They may be ended at any moment: whoever leads shares out anew."""

    worker: Worker
    seats: Seats
    start: Callable[[Seat], Child]
    run_id: str | None = None
    """The only stream that they are for, where that is so."""
    told: Callable[[str], None] = lambda _line: None
    _children: list[tuple[Seat, Child]] = field(default_factory=list)
    _look_at: float = float("-inf")

    def __len__(self) -> int:
        return len(self._children)

    def turn(self, room: int) -> None:
        """Look after those that are there, and take one more seat when there is room for its process."""
        for seat, child in list(self._children):
            if child.ended():
                child.kill()  # what it has started may still be there
                self._children.remove((seat, child))
        if room <= 0 or time.monotonic() < self._look_at:
            return
        offered = self.seats.take(self.worker, self.run_id)
        if offered is None:
            self._look_at = time.monotonic() + LOOK_AGAIN
            return
        self.told(f"run {offered.run_id}: takes seat {offered.number}")
        self._children.append((offered, self.start(offered)))

    def dismiss(self) -> None:
        for _, child in self._children:
            child.kill()
        self._children.clear()

    @contextmanager
    def beside(self, most: int) -> Iterator[None]:
        """Within this, a thread takes seats, so many at the most."""
        over = threading.Event()

        def work() -> None:
            while not over.wait(LOOK_AGAIN / 5):
                try:
                    self.turn(most - len(self))
                except RetryableError as error:
                    self.told(error.message)

        thread = threading.Thread(target=work, name="headrace-recruits", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
            self.dismiss()
