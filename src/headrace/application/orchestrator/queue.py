"""The port of the queue: runs that were asked for, who carries each out, and until when. Not how they are carried out.

Whoever holds a run's lease may append to its stream; every operation that changes a run's state appends the events that tell of it in
the same transaction. So two workers never believe the same, and a run that was accepted ends once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any, Protocol

from headrace.bus.events import Event
from headrace.bus.store import UNKNOWN, Envelope, Origin
from headrace.records import record


@record
class KeptDefinition:
    """The text of a definition as a run goes by it, whatever becomes of the file meanwhile."""

    fingerprint: str
    pipeline: str
    project: str
    file: str | None
    text: str


def keep(text: str, pipeline: str, project: Path, file: Path | None) -> KeptDefinition:
    """A text as it is kept: with the folder that its paths are meant from, which makes it another version in another place."""
    folder, name = str(project.resolve()), str(file) if file else None
    fingerprint = hashlib.sha256(json.dumps([text, folder, name]).encode()).hexdigest()[:16]
    return KeptDefinition(fingerprint, pipeline, folder, name, text)


@record
class RunRequest:
    """A run that somebody wants. `key` makes it the only one of its kind: a second request with the same key gives the first's run."""

    run_id: str
    pipeline: str
    project: str
    definition: KeptDefinition | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    trigger: str = "command"
    priority: int = 0
    key: str | None = None
    not_before: float = 0.0
    """Seconds since 1970; 0 for at once."""
    host: str | None = None
    """The only machine that can carry it out, where that is so."""
    slots: Mapping[str, int] = field(default_factory=dict)
    concurrency: int = 1
    """How many runs of this pipeline may go on at once."""
    timeout_seconds: float | None = None
    origin: Origin = UNKNOWN


@record
class Worker:
    """A process that carries runs out: its name (`host/pid/start`), its machine, and how many units of each slot all workers share."""

    name: str
    host: str
    capacity: Mapping[str, int] = field(default_factory=dict)
    lease_seconds: float = 30.0
    attempts: int = 3
    """How many workers may be lost over one run before it is given up."""


@record
class KnownWorker:
    """A worker as the others see it. A command that carries out its own run has the role `command`, and is there as long as its run."""

    worker: str
    host: str
    role: str
    started_at: str
    heard_at: str
    alive: bool


@record
class Lease:
    """The right to carry a run out and to append to its stream, until it is lost. Tokens of one issuer only grow."""

    request: RunRequest
    worker: str
    issuer: str
    token: int
    attempt: int
    seconds: float

    @property
    def run_id(self) -> str:
        return self.request.run_id


@record
class Outstanding:
    """A run that has not ended, as the queue sees it."""

    run_id: str
    pipeline: str
    state: str
    reason: str
    worker: str
    attempt: int
    priority: int


class RunQueue(Protocol):
    """All raise `RetryableError` when the database is away; those with a lease raise `LeaseLost` when it is no longer theirs."""

    def submit(self, request: RunRequest) -> str:
        """Accept a run; the id of it, or of the one that had the same key before."""
        ...

    def start(self, request: RunRequest, worker: Worker) -> Lease | None:
        """Accept a run and take it, in one act; None when it has to wait for its turn, or was asked for before."""
        ...

    def has_ready(self, worker: Worker, run_id: str | None = None) -> bool:
        """Whether there is any run that might be claimed; of that one, whether to claim it would let it begin, or give it another
        reason to wait. Only looks."""
        ...

    def abandon(self, lease: Lease, worker: Worker, why: str) -> bool:
        """Take a run from a process that is known to have ended; False where it had ended the run, or lost it, before."""
        ...

    def claim(self, worker: Worker, run_id: str | None = None) -> Lease | None:
        """The next run that may be carried out, or that one if it may; None when nothing can be done now. Runs that have to wait
        are told why, once for each reason."""
        ...

    def renew(self, lease: Lease) -> bool:
        """Go on holding it. Whether somebody wants the run cancelled."""
        ...

    def is_cancelling(self, lease: Lease) -> bool:
        """Whether somebody wants the run cancelled. Only looks."""
        ...

    def append(self, lease: Lease, events: Sequence[Event]) -> Sequence[Envelope]:
        """What happened in the run, as long as it is ours. A terminal event ends the run and gives the lease back."""
        ...

    def postpone(self, lease: Lease, reason: str, not_before: float) -> None:
        """Give the run back, to be claimed later by anyone."""
        ...

    def cancel(self, run_id: str, by: str) -> str:
        """Stop a run: at once where nobody carries it out, otherwise as soon as its worker hears of it. Its state afterwards."""
        ...

    def reopen(self, request: RunRequest, how: str, by: str) -> None:
        """Put an ended run back."""
        ...

    def reap(self, worker: Worker, *, resume: bool) -> Sequence[str]:
        """Take runs from workers that are not heard of any more: to be gone on with by others, or without `resume` to be closed
        as failed. The runs concerned."""
        ...

    def outstanding(self) -> Sequence[Outstanding]: ...

    def request(self, run_id: str) -> RunRequest | None:
        """What was asked for, while the run has not ended."""
        ...

    def definition(self, fingerprint: str) -> KeptDefinition | None:
        """A text that runs went by."""
        ...
