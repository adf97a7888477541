"""Holds a run's lease while it is carried out, and stops the work when the lease is lost or somebody wants it cancelled."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Literal, Self

from headrace.application.orchestrator.queue import Lease, RunQueue
from headrace.errors import LeaseLost, RetryableError

#: How often to look whether the run is to be stopped, in seconds. Looking only reads; the lease itself is renewed thrice in its time.
LOOK_EVERY = 0.5

Stopped = Literal["", "lost", "cancelled", "timed out"]


class LeaseKeeper:
    """A thread beside the work. `interrupt` is called at most once, to make the work raise `KeyboardInterrupt`; `stopped` says why."""

    def __init__(self, queue: RunQueue, lease: Lease, interrupt: Callable[[], None]) -> None:
        self.queue, self.lease, self.interrupt = queue, lease, interrupt
        self.stopped: Stopped = ""
        self._done = threading.Event()
        self._turn = threading.Lock()
        self._deadline = time.monotonic() + lease.request.timeout_seconds if lease.request.timeout_seconds else None
        self._thread = threading.Thread(target=self._keep, name="headrace-lease", daemon=True)

    def check(self) -> None:
        """Be sure that the run is still ours, for the time of a lease, and wanted. Raises `LeaseLost`, or `KeyboardInterrupt`."""
        self.look()
        if self.queue.renew(self.lease):
            with self._turn:
                self.stopped = self.stopped or "cancelled"
            raise KeyboardInterrupt

    def look(self) -> None:
        """Raises `KeyboardInterrupt` when the work is to stop."""
        if self.stopped:
            raise KeyboardInterrupt

    def wait(self, seconds: float) -> None:
        """Sleep, unless the work is to stop meanwhile; then raises `KeyboardInterrupt`."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self.look()
            time.sleep(min(left, LOOK_EVERY))
        self.look()

    def close(self) -> None:
        """Let go: from here on the work is not interrupted any more. To be called before its end is put on record."""
        with self._turn:
            self._done.set()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
        self._thread.join()

    def _keep(self) -> None:
        """The lease is held also while the work is stopping, so that nobody begins before it has."""
        renewed = time.monotonic()
        while (
            not self._done.is_set()
        ):  # The first look, at once, also connects with the database, beside the first of the work.
            now = time.monotonic()
            try:
                if self._deadline is not None and now > self._deadline:
                    self._stop("timed out")
                if now - renewed > self.lease.seconds / 3:
                    wanted, renewed = self.queue.renew(self.lease), now
                else:
                    wanted = self.queue.is_cancelling(self.lease)
                if wanted:
                    self._stop("cancelled")
            except LeaseLost:
                return self._stop("lost")
            except RetryableError:
                pass  # The database is away. The work goes on: before it publishes, the lease is looked at again.
            self._done.wait(LOOK_EVERY)
        return None

    def _stop(self, why: Stopped) -> None:
        with self._turn:
            if not self._done.is_set() and not self.stopped:
                self.stopped = why
                self.interrupt()
