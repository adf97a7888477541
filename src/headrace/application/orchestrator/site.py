"""The site of a project's runs: the engine, the event bus, the folders, and the few deeds of the world that runs need. No logic."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from headrace.application.orchestrator.increments import HashFile
from headrace.application.orchestrator.keeping import Keeping
from headrace.application.orchestrator.rehearsal import WriteTexts
from headrace.application.orchestrator.replay import HeldRows
from headrace.bus.bus import EventBus
from headrace.business.engine import Engine

#: Told what a run is busy with and, where known, how far it is: (what, share).
Busy = Callable[[str, float | None], None]


class Workspaces(Protocol):
    """Folders for runs, which know whose process is alive."""

    def open(self, run_id: str) -> Path: ...

    def close(self, run_id: str) -> None: ...

    def abandoned(self) -> Sequence[str]: ...


def silent(_what: str, _share: float | None) -> None:
    """For runs that nobody watches."""


@dataclass(frozen=True, slots=True)
class Site:
    """Where the runs of one project take place."""

    project: Path
    state: Path
    """The folder for what belongs to runs: event log, workspaces, quarantine."""
    engine: Engine
    bus: EventBus
    hash_file: HashFile
    held: HeldRows
    write_texts: WriteTexts
    workspaces: Workspaces
    busy: Busy = silent
    keeping: Keeping | None = None

    def quarantine(self, pipeline: str) -> Path:
        return self.state / "quarantine" / pipeline


def new_run_id() -> str:
    """Unique, and sorted by time when sorted as text."""
    return f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{uuid.uuid4().hex[:6]}"
