"""Carries out some runs for a command, several at once, each in a process of its own; and no others. Not who asks for them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

from headrace.application.orchestrator.queue import Lease, RunQueue, Worker
from headrace.application.orchestrator.worker import GRACE, WorkerLoop
from headrace.bus.events import Event
from headrace.bus.store import Envelope
from headrace.errors import RunError

#: How often to see what has ended, in seconds.
LOOK_EVERY = 0.1


@dataclass(slots=True)
class OwnRuns:
    """The queue as it looks to somebody who has to do with these runs only: see `worker.Claims`."""

    queue: RunQueue
    wanted: set[str] = field(default_factory=set)

    def has_ready(self, worker: Worker) -> bool:
        return any(self.queue.has_ready(worker, run_id) for run_id in sorted(self.wanted))

    def claim(self, worker: Worker) -> Lease | None:
        claims = (self.queue.claim(worker, run_id) for run_id in sorted(self.wanted) if self.queue.has_ready(worker, run_id))
        return next((lease for lease in claims if lease is not None), None)

    def is_cancelling(self, lease: Lease) -> bool:
        return self.queue.is_cancelling(lease)

    def abandon(self, lease: Lease, worker: Worker, why: str) -> bool:
        return self.queue.abandon(lease, worker, why)

    def append(self, lease: Lease, events: Sequence[Event]) -> Sequence[Envelope]:
        return self.queue.append(lease, events)

    def reap(self, worker: Worker, *, resume: bool) -> Sequence[str]:  # noqa: ARG002 - the runs of others are not our business
        return []


class Unheard:
    """Workers that nobody can count on make no entry in the register of workers."""

    def heard(self, worker: Worker, role: str) -> None: ...

    def gone(self, worker: Worker) -> None: ...


@dataclass(slots=True)
class Crew:
    """A worker of a command's own, in a thread beside it."""

    runs: OwnRuns
    loop: WorkerLoop

    @contextmanager
    def at_work(self) -> Iterator[Crew]:
        """Until the end of the block. Who leaves it by an error or Ctrl-C has the runs that have not ended cancelled."""
        with ThreadPoolExecutor(1, "headrace-crew") as beside:
            working = beside.submit(self.loop.run, GRACE)
            working.add_done_callback(lambda _: self.loop.stopping.set())
            try:
                yield self
            finally:
                for run_id in self.runs.wanted:
                    self.runs.queue.cancel(run_id, "interrupted")
                self.loop.stopping.set()
                working.result()

    def begin(self, run_id: str) -> None:
        """Have a run carried out that was asked for, as soon as there is room."""
        self.runs.wanted = {*self.runs.wanted, run_id}

    def ended(self, *, at_most: int) -> Sequence[str]:
        """Wait until only so many runs are left; those that have ended since this was asked last."""
        while not self.loop.stopping.is_set():
            left = {run.run_id for run in self.runs.queue.outstanding()}
            over = sorted(self.runs.wanted - left)
            self.runs.wanted = self.runs.wanted & left
            if over or len(self.runs.wanted) <= at_most:
                return over
            time.sleep(LOOK_EVERY)
        raise RunError("the runs cannot be carried out any more")  # The end of the crew says why.
