"""A process that publishes in children of its own, and ends or stops them where it is told to: between two steps, or at any moment.

Each child is forked from a process that has loaded everything and started nothing, so that a hundred crashes take seconds.
"""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CRASHED, LATER, LOST = 42, 75, 76
STOPPED = "stopped"


@dataclass
class Crasher:
    """The side of the tests."""

    process: subprocess.Popen[str]
    folder: Path

    @classmethod
    def start(cls, folder: Path) -> Crasher:
        root = Path(__file__).parents[3]
        process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root
        )
        return cls(process, folder)

    def carry_out(self, job: Any, *, stop_at: int = 0, kill_after: float = 0) -> tuple[int, float]:
        """Do it in a child that ends at its `stop_at`-th milestone or is killed after some seconds: how it ended, how long it took."""
        status, seconds = self._ask([self._written(job), stop_at, kill_after, ""])
        return status, seconds

    @contextmanager
    def paused(self, job: Any, at: str) -> Iterator[Callable[[], int]]:
        """Do it in a child that stops at a milestone. What this gives wakes it, and says how it ended."""
        status, _ = self._ask([self._written(job), 0, 0, at])
        assert status == STOPPED, f"it never came to `{at}`, but ended with {status}"
        ended: list[int] = []

        def wake() -> int:
            if not ended:
                ended.append(self._ask("wake")[0])
            return ended[0]

        try:
            yield wake
        finally:
            wake()

    def _written(self, job: Any) -> str:
        path = self.folder / "job.pickle"
        path.write_bytes(pickle.dumps(job))
        return str(path)

    def _ask(self, words: Any) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(words) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def stop(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


def _child(path: str, stop_at: int, pause_at: str) -> None:
    from headrace.errors import LeaseLost, RetryableError
    from headrace.infrastructure.connectors import milestones

    passed = 0

    def reached(point: str) -> None:
        nonlocal passed
        passed += 1
        if passed == stop_at:
            os._exit(CRASHED)
        if point == pause_at:
            os.kill(os.getpid(), signal.SIGSTOP)

    milestones.reached = reached
    plugin, spec, home, act, arguments = pickle.loads(Path(path).read_bytes())
    try:
        getattr(plugin.model_validate(spec), act)(home, *arguments)
    except RetryableError:
        os._exit(LATER)
    except LeaseLost:
        os._exit(LOST)


def _serve() -> None:
    import deltalake  # noqa: F401
    import duckdb  # noqa: F401
    import obstore.store  # noqa: F401
    import psycopg  # noqa: F401
    import pyarrow.parquet  # noqa: F401
    import pymysql.cursors  # noqa: F401
    from tests.conformance.sinks import lake_targets, targets  # noqa: F401

    for line in sys.stdin:
        path, stop_at, kill_after, pause_at = json.loads(line)
        begun = time.monotonic()
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                _child(path, stop_at, pause_at)
                status = 0
            finally:
                sys.stderr.flush()
                os._exit(status)
        if kill_after:
            time.sleep(kill_after)
            os.kill(pid, signal.SIGKILL)
        _, ended = os.waitpid(pid, os.WUNTRACED)
        if os.WIFSTOPPED(ended):
            print(json.dumps([STOPPED, 0]), flush=True)
            sys.stdin.readline()
            os.kill(pid, signal.SIGCONT)
            _, ended = os.waitpid(pid, 0)
        print(json.dumps([os.waitstatus_to_exitcode(ended), time.monotonic() - begun]), flush=True)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[3]))
    _serve()
