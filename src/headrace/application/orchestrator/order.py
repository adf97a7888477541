"""What a run is asked to do, and what it needs of the one who carries it out. Not how it does it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, TypeVar

from headrace.application.orchestrator.increments import HashFile, Work
from headrace.application.orchestrator.keeping import Keeping
from headrace.application.orchestrator.readiness import Ready
from headrace.application.queries.records import Records
from headrace.bus.events import Event
from headrace.business.ports import Fence
from headrace.business.processing.plan import Plan, PlannedSink
from headrace.business.streams.beginning import Anew
from headrace.records import record

T = TypeVar("T")


@record
class Order:
    """What is to be run, and on what."""

    run_id: str
    plan: Plan
    project: Path
    workspace: Path
    quarantine: Path
    work: Work
    params: Mapping[str, Any] = field(default_factory=dict)
    definition: str | None = None
    trigger: str = "command"
    attempt: int = 1
    force: bool = False
    identity: Mapping[str, Any] | None = None
    """What the run's publications stand for, when that is not the state of its sources."""
    keeping: Keeping | None = None
    stored: frozenset[str] = frozenset()
    """The sinks of which is on record that an earlier attempt has published to them."""
    start: Anew | None = None
    """Where a stream is to begin anew, instead of going on."""
    since: datetime | None = None
    """From when on an earlier attempt may have published without a word about it; None for a first attempt."""


class Surroundings(Protocol):
    """What a run needs of the one who carries it out."""

    records: Records
    hash_file: HashFile
    fence: Fence

    def tell(self, *events: Event) -> None:
        """Append what happened. Raises `LeaseLost` when the run is no longer ours."""
        ...

    def busy(self, what: str, share: float | None) -> None: ...

    def keep(self, ready: Ready) -> None:
        """Write down what lies ready, durably."""
        ...

    def before_publishing(self, sink: PlannedSink) -> None:
        """Be sure that the run is still ours."""
        ...

    def attempted(self, step: str, operation: Callable[[], T], system: str | None = None) -> T:
        """What an operation gives, which is tried again when it fails in a way that may pass, as the definition says. `system` is
        the remote one that it reaches, whose circuit breaker is asked before each attempt."""
        ...

    def reached(self, point: str) -> None:
        """A named point was reached, at which tests and `headrace chaos` let the process die."""
        ...
