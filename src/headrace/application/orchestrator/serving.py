"""A serving process: its duties beside the runs, each in a thread of its own, and how they come to an end. Not the duties themselves."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Protocol, Self

from headrace.application.orchestrator.queue import Worker
from headrace.errors import HeadraceError

#: The name under which one process leads.
LEADER = "scheduler"


class Leadership(Protocol):
    """Who may do what only one process may do at a time."""

    def lead(self, name: str, worker: Worker) -> bool: ...

    def resign(self, name: str, worker: Worker) -> None: ...


@dataclass(frozen=True, slots=True)
class Duty:
    """Something that a serving process does again and again."""

    name: str
    every_seconds: float
    turn: Callable[[], Any]
    leading: bool = False
    """Whether only the process that leads does it."""


class Duties:
    """Threads for duties. One that fails is told of, and its duty is tried again at its next time; no failure of one stops another."""

    def __init__(self, duties: Sequence[Duty], leadership: Leadership, worker: Worker, told: Callable[[str], None]) -> None:
        self.duties, self.leadership, self.worker, self.told = duties, leadership, worker, told
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._leads = False

    def __enter__(self) -> Self:
        led = Duty("leadership", 1.0, self._lead)
        for duty in (led, *self.duties):
            thread = threading.Thread(target=self._carry_on, args=(duty,), name=f"headrace-{duty.name}", daemon=True)
            thread.start()
            self._threads.append(thread)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Lets every duty come to the end of its turn."""
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=10)
        if self._leads:
            try:
                self.leadership.resign(LEADER, self.worker)
            except HeadraceError as error:
                self.told(error.message)

    def _lead(self) -> None:
        before, self._leads = self._leads, False
        self._leads = self.leadership.lead(LEADER, self.worker)
        if self._leads and not before:
            self.told("this process leads: it looks after schedules, triggers and definitions")

    def _carry_on(self, duty: Duty) -> None:
        complaint = ""
        while not self._stop.is_set():
            if self._leads or not duty.leading:
                try:
                    duty.turn()
                    complaint = ""
                except HeadraceError as error:
                    if error.message != complaint:
                        self.told(f"{duty.name}: {error}")
                    complaint = error.message
                except Exception as error:  # noqa: BLE001 - the boundary of a duty: the others go on whatever happens
                    self.told(f"{duty.name}: {type(error).__name__}: {error}")
            self._stop.wait(duty.every_seconds)


@contextmanager
def until_told_to_stop(stopping: threading.Event) -> Iterator[None]:
    """Within this, SIGTERM and Ctrl-C ask the process to come to an end; a second Ctrl-C does not wait."""
    heard: SimpleQueue[bool] = SimpleQueue()

    def ask(number: int, _frame: Any) -> None:
        if number == signal.SIGINT and stopping.is_set():
            raise KeyboardInterrupt
        # Not `stopping.set()`: the thread that this interrupts may hold the lock of the event, and would wait for itself.
        heard.put(True)

    def pass_on() -> None:
        while heard.get():
            stopping.set()

    passing_on = threading.Thread(target=pass_on, name="headrace-signals", daemon=True)
    passing_on.start()
    before = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        heard.put(False)
        passing_on.join()
