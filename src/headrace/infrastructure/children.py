"""Processes that carry out runs: forked from a server that has everything loaded, so that one begins within milliseconds.

Each is the leader of a process group, so that what a run's own code has started is ended with it; and each ends itself when
the worker that started it is no more. Not what they do.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerContext
from multiprocessing.forkserver import ensure_running
from pathlib import Path
from typing import Any


class ChildProcess:
    """A process that carries out one run."""

    def __init__(self, process: Any) -> None:
        self._process = process

    def ended(self) -> bool:
        return self._process.exitcode is not None

    def outcome(self) -> str:
        code = self._process.exitcode
        if code is not None and code < 0:
            return f"killed by {signal.Signals(-code).name}"
        return f"exit code {code}"

    def join(self) -> None:
        self._process.join()

    def kill(self) -> None:
        for end in (lambda: os.killpg(self._process.pid, signal.SIGKILL), self._process.kill):
            try:
                end()
            except ProcessLookupError:
                continue
        self._process.join()


class Children:
    """Makes processes. The server is started by `prepare` or by the first, and ends with this process."""

    def __init__(self, preload: Sequence[str]) -> None:
        self._preload = list(preload)
        self._server: ForkServerContext | None = None
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
        process = self._context().Process(target=_begin, args=(task, arguments, str(log)), daemon=False)
        process.start()
        return ChildProcess(process)

    def _context(self) -> ForkServerContext:
        if self._server is None:
            self._server = multiprocessing.get_context("forkserver")
            self._server.set_forkserver_preload(self._preload)
        return self._server


def _nothing() -> None:
    """What the first process does."""


def _begin(task: Callable[..., None], arguments: Sequence[Any], log: str) -> None:
    os.setpgrp()
    threading.Thread(target=_end_with_parent, daemon=True, name="headrace-parent").start()
    _print_to(Path(log))
    try:
        task(*arguments)
    except KeyboardInterrupt:
        sys.exit(130)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os.killpg(os.getpgid(0), signal.SIGKILL)


def _print_to(log: Path) -> None:
    """Runs may print what they like, and even close their standard output: the worker's own is another."""
    log.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for target, source in ((0, nothing), (1, file), (2, file)):
        os.dup2(source, target)
