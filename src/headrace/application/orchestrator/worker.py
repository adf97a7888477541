"""A worker: claims runs and has each carried out in a process of its own, which can be stopped for certain. Not what a run does.

The process that carries a run out holds its lease. When it ends without having said how, the worker gives the run back at once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from headrace.application.orchestrator import failpoints
from headrace.application.orchestrator.queue import Lease, Worker
from headrace.bus.events import Event, PipelineFailedEvent
from headrace.bus.store import Envelope
from headrace.errors import LeaseLost, RetryableError

#: How often an idle worker looks for runs, in seconds. It only reads until there is something to claim.
LOOK_EVERY = 0.025
#: How often to try for runs that were there but could not begin, and to look whether one is to be stopped, in seconds.
LOOK_AGAIN = 0.5
#: How often to remove what nobody needs any more, in seconds.
TIDY_EVERY = 3600.0
#: How long a run that was asked to stop, or whose time is over, may take to do so before its processes are killed, in seconds.
GRACE = 10.0


class Child(Protocol):
    """A process that carries out one run, with whatever processes it has started."""

    def ended(self) -> bool: ...

    def outcome(self) -> str:
        """How it ended, for people: `exit code 3`, `killed by SIGSEGV`."""
        ...

    def leave(self) -> None:
        """Ask it to give a run back that has no end. One that has goes on to it."""
        ...

    def kill(self) -> None:
        """End it and all that it has started, at once."""
        ...


class Claims(Protocol):
    """What a worker asks of the queue (see `queue.RunQueue`)."""

    def has_ready(self, worker: Worker) -> bool: ...

    def claim(self, worker: Worker) -> Lease | None: ...

    def is_cancelling(self, lease: Lease) -> bool: ...

    def abandon(self, lease: Lease, worker: Worker, why: str) -> bool: ...

    def append(self, lease: Lease, events: Sequence[Event]) -> Sequence[Envelope]: ...

    def reap(self, worker: Worker, *, resume: bool) -> Sequence[str]: ...


class Register(Protocol):
    """Where workers say that they are there."""

    def heard(self, worker: Worker, role: str) -> None: ...

    def gone(self, worker: Worker) -> None: ...


class Helpers(Protocol):
    """Processes of this worker that help with runs of others (see `recruiting.Recruits`)."""

    def __len__(self) -> int: ...

    def turn(self, room: int) -> None: ...

    def dismiss(self) -> None: ...


@dataclass(slots=True)
class _Charge:
    """A run that a child carries out. `stop_by` is when it has to have ended."""

    lease: Lease
    child: Child
    stop_by: float
    timed_out: bool = True
    """Whether it is its time that is over then, and not somebody's wish or another's claim."""


@dataclass
class WorkerLoop:
    """Works until it is told to stop; then it claims nothing more, and lets what goes on come to its end."""

    worker: Worker
    queue: Claims
    register: Register
    start: Callable[[Lease], Child]
    parallel: int
    role: str = "worker"
    told: Callable[[str], None] = lambda _line: None
    prepare: Callable[[], None] = lambda: None
    """Called when it begins to work."""
    tidy: Callable[[], object] = lambda: None
    """Called now and then, to remove what nobody needs any more on this machine."""
    ready: Callable[[], bool] = lambda: True
    """Whether a run can begin as soon as it is claimed. Until then others may have it: its lease would run out before it began."""
    helpers: Helpers | None = None
    stopping: threading.Event = field(default_factory=threading.Event)
    _charges: list[_Charge] = field(default_factory=list)
    _heard: float = float("-inf")
    _claim_at: float = float("-inf")
    _mind_at: float = float("-inf")
    _tidied: float = field(default_factory=time.monotonic)

    def run(self, drain_seconds: float) -> None:
        """Until `stopping` is set, and then for as long as its runs take, at most `drain_seconds`; what is left then is given back."""
        deadline: float | None = None
        self.prepare()
        while deadline is None or (self._charges and time.monotonic() < deadline):
            if deadline is None and self.stopping.is_set():
                deadline = time.monotonic() + drain_seconds
                self._dismiss_helpers()
                if self._charges:
                    self.told(f"stopping: {len(self._charges)} runs go on to their end")
            busy = self._turn(claiming=deadline is None)
            if not busy:
                self.stopping.wait(LOOK_EVERY) if deadline is None else time.sleep(LOOK_EVERY)
        self._dismiss_helpers()
        for charge in self._charges:
            charge.child.kill()
            self._give_back(charge, "the worker was stopped")
        self._charges.clear()
        self._while_reachable(lambda: self.register.gone(self.worker))

    def _turn(self, *, claiming: bool) -> bool:
        """One look at everything. Whether a run was begun, so that the next may follow at once."""
        self._look_after_children()
        self._while_reachable(self._be_heard)
        self._while_reachable(self._be_tidy)
        if claiming and self._room > 0 and self._while_reachable(self._claim):
            return True
        if claiming and self.helpers is not None and self.ready():
            self._while_reachable(partial(self.helpers.turn, self._room))
        return False

    @property
    def _room(self) -> int:
        """How many more processes it may have."""
        return self.parallel - len(self._charges) - (len(self.helpers) if self.helpers is not None else 0)

    def _dismiss_helpers(self) -> None:
        if self.helpers is not None:
            self.helpers.dismiss()

    def _claim(self) -> bool:
        if time.monotonic() < self._claim_at or not self.ready() or not self.queue.has_ready(self.worker):
            return False
        lease = self.queue.claim(self.worker)
        if lease is None:
            self._claim_at = time.monotonic() + LOOK_AGAIN
            return False
        self.told(f"run {lease.run_id} of {lease.request.pipeline}: attempt {lease.attempt}")
        limit = lease.request.timeout_seconds
        stop_by = time.monotonic() + limit + GRACE if limit else float("inf")
        failpoints.reached("claim made")
        self._charges.append(_Charge(lease, self.start(lease), stop_by))
        failpoints.reached("child started")
        return True

    def _be_heard(self) -> bool:
        if time.monotonic() - self._heard < self.worker.lease_seconds / 3:
            return False
        self.register.heard(self.worker, self.role)
        self._heard = time.monotonic()
        for run_id in self.queue.reap(self.worker, resume=True):
            self.told(f"run {run_id} was taken from a worker that was lost")
        return False

    def _be_tidy(self) -> None:
        if time.monotonic() - self._tidied > TIDY_EVERY:
            self._tidied = time.monotonic()
            self.tidy()

    def _look_after_children(self) -> None:
        minding = time.monotonic() > self._mind_at
        if minding:
            self._mind_at = time.monotonic() + LOOK_AGAIN
        for charge in list(self._charges):
            if charge.child.ended():
                failpoints.reached("child ended")
                self._charges.remove(charge)
                self._claim_at = float("-inf")
                charge.child.kill()  # What the run's own code has started may still be there.
                self._while_reachable(lambda charge=charge: self._give_back(charge, charge.child.outcome()))  # type: ignore[misc]
            elif time.monotonic() > charge.stop_by:
                charge.child.kill()
                self._charges.remove(charge)
                self._while_reachable(lambda charge=charge: self._end(charge))  # type: ignore[misc]
            elif minding and self.stopping.is_set():
                charge.child.leave()
            elif minding and charge.timed_out:
                self._while_reachable(lambda charge=charge: self._mind_cancelling(charge))  # type: ignore[misc]

    def _mind_cancelling(self, charge: _Charge) -> bool:
        """A run that is asked to stop, or that is somebody else's now, gets its grace from now on."""
        try:
            stopping = self.queue.is_cancelling(charge.lease)
        except LeaseLost:
            stopping = True
        if stopping:
            charge.timed_out, charge.stop_by = False, min(charge.stop_by, time.monotonic() + GRACE)
        return False

    def _give_back(self, charge: _Charge, why: str) -> bool:
        """Let others go on with a run whose process is no more; where it has said how it ended, there is nothing to give back."""
        if self.queue.abandon(charge.lease, self.worker, why):
            self.told(f"run {charge.lease.run_id}: its process ended: {why}")
        return False

    def _end(self, charge: _Charge) -> bool:
        """Say of a run what its process was not there to say any more."""
        lease, limit = charge.lease, charge.lease.request.timeout_seconds
        if limit is None or not charge.timed_out:
            return self._give_back(charge, "it did not stop when it was asked to")
        message = f"the run took longer than {limit:g} seconds, and did not stop when it was asked to"
        failed = PipelineFailedEvent(lease.run_id, message, pipeline=lease.request.pipeline, error="TimedOut", seconds=limit)
        with suppress(LeaseLost):  # It ended by itself in the last moment, or is somebody else's.
            self.queue.append(lease, [failed])
        return False

    def _while_reachable(self, act: Callable[[], object]) -> bool:
        """What an act gives; False while the database is away, to be tried at the next look."""
        try:
            return bool(act())
        except RetryableError as error:
            self.told(error.message)
            return False
