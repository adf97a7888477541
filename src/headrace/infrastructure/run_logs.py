"""What the processes of runs print: a file for each run, which keeps the beginning and the end when there is too much. No events."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path

from headrace.records import record

#: How many bytes are kept of the beginning of a log, and of its end at least. It may grow by another end before it is cut.
HEAD, TAIL = 256 * 1024, 1024 * 1024
_PIECE = 64 * 1024
_LEFT_OUT = re.compile(rb"\n\[(\d+) bytes are left out here\]\n")
_GONE_WITHIN = 10.0


class BoundedLog:
    """A file that is written to by its end, across all attempts of its run, and never grows larger than `head` and twice `tail`."""

    def __init__(self, path: Path, head: int = HEAD, tail: int = TAIL) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path, self.head, self.tail = path, head, tail
        self._file = self._opened()

    def write(self, words: bytes) -> None:
        os.write(self._file, words)
        if os.fstat(self._file).st_size > self.head + 2 * self.tail:
            self._cut()

    def close(self) -> None:
        os.close(self._file)

    def _cut(self) -> None:
        """Leave out what lies between the beginning and the end, all at once for who reads it."""
        held = self.path.read_bytes()
        before = _LEFT_OUT.match(held, self.head)
        end = len(held) - self.tail
        count = int(before[1]) + end - before.end() if before else end - self.head
        part = self.path.with_suffix(".part")
        part.touch(mode=0o600)
        part.write_bytes(held[: self.head] + b"\n[%d bytes are left out here]\n" % count + held[end:])
        part.replace(self.path)
        os.close(self._file)
        self._file = self._opened()

    def _opened(self) -> int:
        return os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


class Listener:
    """A thread that writes what comes through a pipe to a log, until nobody holds the other end any more."""

    def __init__(self, source: Connection, path: Path) -> None:
        self._thread = threading.Thread(target=self._listen, args=(source, path), daemon=True, name="headrace-log")
        self._thread.start()

    def join(self) -> None:
        """Wait for the last words; not for ever, should somebody hold the other end who cannot be ended."""
        self._thread.join(timeout=_GONE_WITHIN)

    def _listen(self, source: Connection, path: Path) -> None:
        log: BoundedLog | None = None
        with source:
            while words := os.read(source.fileno(), _PIECE):
                try:
                    log = log or BoundedLog(path)
                    log.write(words)
                except OSError:
                    continue  # The disk is full, say. What a run prints is no reason to hold it up.
        if log is not None:
            log.close()


@record
class RunLogs:
    """The logs of a folder. `forgotten` says of which runs nothing is known any more."""

    folder: Path
    keep_days: int
    forgotten: Callable[[Collection[str]], Collection[str]]

    def path(self, run_id: str) -> Path:
        return self.folder / f"{run_id}.log"

    def tidy(self, now: datetime) -> int:
        """Remove the logs that are as old as events that go, and whose runs are gone from the event log; how many."""
        oldest = (now - timedelta(days=self.keep_days)).timestamp()
        old = {f.stem: f for f in self.folder.glob("*.log") if f.stat().st_mtime < oldest}
        gone = self.forgotten(old) if old else ()
        for run_id in gone:
            old[run_id].unlink(missing_ok=True)
        return len(gone)
