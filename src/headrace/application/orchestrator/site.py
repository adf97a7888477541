"""The site of a project's runs: engine, bus, queue, folders, and the few deeds of the world that runs need. No logic."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from headrace.application.orchestrator.breakers import Breakers
from headrace.application.orchestrator.increments import HashFile
from headrace.application.orchestrator.keeping import Keeping
from headrace.application.orchestrator.order import Order
from headrace.application.orchestrator.pauses import Pauses
from headrace.application.orchestrator.queue import KnownWorker, RunQueue, Worker
from headrace.application.orchestrator.replay import HeldRows
from headrace.application.queries.records import Records
from headrace.bus.bus import EventBus
from headrace.business.engine import Engine
from headrace.records import record

if TYPE_CHECKING:
    from headrace.application.orchestrator.rehearsal import WriteTexts

#: Told what a run is busy with and, where known, how far it is: (what, share).
Busy = Callable[[str, float | None], None]


class Workspaces(Protocol):
    """Folders for runs, each with a note of what lies ready in it."""

    def open(self, run_id: str) -> Path: ...

    def close(self, run_id: str) -> None: ...

    def note(self, run_id: str, note: Mapping[str, Any]) -> None: ...

    def noted(self, run_id: str) -> Mapping[str, Any] | None: ...

    def tidy(self, outstanding: Collection[str], pipeline: str | None = None) -> None: ...


class Endless(Protocol):
    """A run that has no end of its own."""

    def execute(self) -> bool:
        """Work until told to stop; whether anything was done."""
        ...

    def interrupt(self) -> None:
        """Stop the statement that the engine is at, from another thread."""
        ...


class Workers(Protocol):
    """Who carries runs out."""

    def any_alive(self) -> bool:
        """Whether a worker is there that goes on with what others leave."""
        ...

    def all(self) -> Sequence[KnownWorker]:
        """Those that are known, alive or not, and the commands that carry out runs of their own."""
        ...


def silent(_what: str, _share: float | None) -> None:
    """For runs that nobody watches."""


def unwatched(_progress: Any) -> None:
    """For streams that nobody watches."""


@record
class Site:
    """Where the runs of one project take place."""

    project: Path
    state: Path
    """The folder for what belongs to runs: event log, workspaces, quarantine."""
    engine: Callable[[str], Engine]
    """The engine of a name."""
    bus: EventBus
    records: Records
    """The log that the bus appends to, with what is made of it."""
    queue: RunQueue
    worker: Worker
    """This process."""
    workers: Workers
    hash_file: HashFile
    held: HeldRows
    write_texts: WriteTexts
    stream: Callable[[Order, Engine, Any], Endless]
    """A run of a stream: what is asked, the engine, and what it needs of the one who carries it out."""
    pauses: Pauses
    workspaces: Workspaces
    breakers: Breakers
    busy: Busy = silent
    watch: Callable[[Any], None] = unwatched
    """Shown how a stream stands, about once a second."""
    keeping: Keeping | None = None
    postpones: bool = False
    """Whether a run that has to wait is given back to the queue; otherwise it is waited here, in sight of whoever began it."""

    def quarantine(self, pipeline: str) -> Path:
        return self.state / "quarantine" / pipeline

    def bury_the_dead(self) -> None:
        """Close the books of runs whose process died, so that none stays `running`; unless there are workers, who go on with them."""
        outstanding = self.queue.outstanding()
        if any(run.worker for run in outstanding) and not self.workers.any_alive():
            self.queue.reap(self.worker, resume=False)


def new_run_id() -> str:
    """Unique, and sorted by time when sorted as text."""
    return f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{uuid.uuid4().hex[:6]}"
