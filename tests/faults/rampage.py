"""Kills workers and the processes of runs at random moments and at random points, while runs go on. Not what is judged afterwards."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.faults.counted import APPENDED, Counted
from tests.faults.processes import Crew, Started

from headrace.application.orchestrator.failpoints import OF_PUBLICATIONS, OF_RUNS, OF_WORKERS, SPENT, VARIABLE

POINTS = [*OF_RUNS, *OF_WORKERS, *(point.format(sink) for sink in APPENDED for point in OF_PUBLICATIONS)]
GOING_ON, WORKERS = 4, 2


@dataclass
class Rampage:
    """Kills that were made: of workers and of runs' processes at any moment, and of either at a named point."""

    counted: Counted
    crew: Crew
    random: Random
    workers: list[Started] = field(default_factory=list)
    made: dict[str, int] = field(default_factory=lambda: {"a worker": 0, "a run's process": 0, "at a point": 0})
    marks: list[Path] = field(default_factory=list)

    @property
    def kills(self) -> int:
        self.made["at a point"] = sum(1 for folder in self.marks for _ in folder.iterdir())
        return sum(self.made.values())

    def go(self, kills: int) -> None:
        """Until that many were made; then all that is left may come to its end, by workers that die at their points alone."""
        while self.kills < kills:
            self._man()
            while len(self.counted.queue.outstanding()) < GOING_ON:
                self.counted.feed_and_ask()
            self._kill()
        self.crew.until(self._come_to_an_end)
        for worker in self.workers:
            worker.stop()

    def _come_to_an_end(self) -> bool:
        self._man()
        return not self.counted.queue.outstanding()

    def _man(self) -> None:
        """See that there are workers; each dies at a few points on its way, or its children do."""
        self.workers = [worker for worker in self.workers if worker.process.poll() is None]
        while len(self.workers) < WORKERS:
            spent = self.counted.folder / "spent" / str(len(self.marks))
            spent.mkdir(parents=True)
            self.marks.append(spent)
            points = ",".join(self.random.sample(POINTS, 2))
            self.workers.append(self.crew.start(parallel=2, env={VARIABLE: points, SPENT: str(spent)}))

    def _kill(self) -> None:
        """One process at a moment of its work: most often that of a run, now and then the worker with all of its runs."""
        self.crew.until(
            lambda: (
                any(map(runs_of, self.workers))
                or not self.counted.queue.outstanding()
                or all(worker.process.poll() is not None for worker in self.workers)  # each at a point of its own
            )
        )
        time.sleep(self.random.random() * 1.2)
        at_work = [(worker, runs) for worker in self.workers if (runs := runs_of(worker))]
        if not at_work:
            return
        worker, runs = self.random.choice(at_work)
        if self.random.random() < 0.2:
            if worker.process.poll() is None:
                worker.kill()
                self.made["a worker"] += 1
            return
        with suppress(ProcessLookupError):
            os.kill(self.random.choice(runs), signal.SIGKILL)
            self.made["a run's process"] += 1


def runs_of(worker: Started) -> list[int]:
    """The processes that carry out a worker's runs: its process server's children."""
    return [pid for server in children_of(worker.process.pid) for pid in children_of(server)]


def children_of(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
