"""Processes that carry out runs: forked from a server that has everything loaded, so that one begins within milliseconds.

Each is the leader of a process group and adopts the orphans below it, so that what a run's own code has started is ended with it,
also what has left the group (see `descendants`); and each ends itself when the worker that started it is no more. Not what they do.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext
from multiprocessing.forkserver import ensure_running
from pathlib import Path
from typing import Any

from headrace.infrastructure.descendants import adopt_orphans, end_descendants, parent_of
from headrace.infrastructure.run_logs import Listener

#: Loaded by the server before anything else.
_ADOPTING = "headrace.infrastructure.adopting"


class ChildProcess:
    """A process that carries out one run."""

    def __init__(self, process: Any, children: Children, log: Listener) -> None:
        self._process, self._children, self._log = process, children, log

    def ended(self) -> bool:
        return self._process.exitcode is not None

    def outcome(self) -> str:
        code = self._process.exitcode
        if code is not None and code < 0:
            return f"killed by {signal.Signals(-code).name}"
        return f"exit code {code}"

    def join(self) -> None:
        self._process.join()
        self._log.join()

    def leave(self) -> None:
        if not self.ended():
            with suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGTERM)

    def kill(self) -> None:
        pid = self._process.pid
        if not self.ended():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)  # so that it starts nothing more
            end_descendants(pid)
        for end in (lambda: os.killpg(pid, signal.SIGKILL), self._process.kill):
            with suppress(ProcessLookupError):
                end()
        self._process.join()
        self._children.bury(pid)
        self._log.join()


class Children:
    """Makes processes. The server is started by `prepare` or by the first, and ends with this process."""

    def __init__(self, preload: Sequence[str]) -> None:
        self._preload = [_ADOPTING, *preload]
        self._server: ForkServerContext | None = None
        self._server_pid: int | None = None
        self._going_on: set[int] = set()
        self._loaded = threading.Event()

    def prepare(self) -> None:
        """Let the server load what runs need, without waiting for it, so that the first run begins as soon as any."""
        self._context()
        ensure_running()
        threading.Thread(target=self._see_that_it_serves, daemon=True, name="headrace-children").start()

    def ready(self) -> bool:
        """Whether a process that is started now begins at once."""
        return self._loaded.is_set()

    def _see_that_it_serves(self) -> None:
        try:
            first = self._context().Process(target=_nothing)
            first.start()
            first.join()
        finally:
            self._loaded.set()  # Where it does not serve, the first run tells why.

    def start(self, task: Callable[..., None], *arguments: Any, log: Path) -> ChildProcess:
        """Let a process carry out `task`, a function that is found by its name. What it prints goes to `log`."""
        heard, said = self._context().Pipe(duplex=False)
        with said:
            process = self._context().Process(target=_begin, args=(task, arguments, said), daemon=False)
            process.start()
        pid = process.pid or 0
        self._going_on.add(pid)
        self._server_pid = self._server_pid or parent_of(pid)
        return ChildProcess(process, self, Listener(heard, log))

    def bury(self, pid: int) -> None:
        """A process has ended. What it had started fell to the server; whatever is there and carries out no run was its."""
        self._going_on.discard(pid)
        if self._server_pid is not None:
            end_descendants(self._server_pid, spared=self._going_on)

    def _context(self) -> ForkServerContext:
        if self._server is None:
            self._server = multiprocessing.get_context("forkserver")
            self._server.set_forkserver_preload(self._preload)
        return self._server


def _nothing() -> None:
    """What the first process does."""


def _begin(task: Callable[..., None], arguments: Sequence[Any], log: Connection) -> None:
    os.setpgrp()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # until there is somebody who hears it (see `leave`)
    adopt_orphans()
    threading.Thread(target=_end_with_parent, daemon=True, name="headrace-parent").start()
    _print_to(log)
    try:
        task(*arguments)
    except KeyboardInterrupt:
        sys.exit(130)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        end_descendants(os.getpid())
        os.killpg(os.getpgid(0), signal.SIGKILL)


def _print_to(log: Connection) -> None:
    """Runs may print what they like, and even close their standard output: the worker's own is another."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    for target, source in ((0, nothing), (1, log.fileno()), (2, log.fileno())):
        os.dup2(source, target)
    log.close()
