"""A process that publishes in children of its own, and ends them where it is told to: between two steps, or at any moment.

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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CRASHED, LATER = 42, 75


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

    def publish(self, job: Any, *, stop_at: int = 0, kill_after: float = 0) -> tuple[int, float]:
        """Publish in a child that ends at its `stop_at`-th milestone or is killed after some seconds: how it ended, how long it took."""
        path = self.folder / "job.pickle"
        path.write_bytes(pickle.dumps(job))
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps([str(path), stop_at, kill_after]) + "\n")
        self.process.stdin.flush()
        status, seconds = json.loads(self.process.stdout.readline())
        return status, seconds

    def stop(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


def _child(path: str, stop_at: int) -> None:
    from headrace.errors import RetryableError
    from headrace.infrastructure.connectors import milestones

    passed = 0

    def reached(point: str) -> None:
        nonlocal passed
        passed += 1
        if passed == stop_at:
            os._exit(CRASHED)

    milestones.reached = reached
    plugin, spec, home, staged, checkpoint = pickle.loads(Path(path).read_bytes())
    try:
        plugin.model_validate(spec).publish(home, staged, checkpoint)
    except RetryableError:
        os._exit(LATER)


def _serve() -> None:
    import duckdb  # noqa: F401
    import psycopg  # noqa: F401
    import pyarrow.parquet  # noqa: F401
    from tests.conformance.sinks import targets  # noqa: F401

    for line in sys.stdin:
        path, stop_at, kill_after = json.loads(line)
        begun = time.monotonic()
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                _child(path, stop_at)
                status = 0
            finally:
                sys.stderr.flush()
                os._exit(status)
        if kill_after:
            time.sleep(kill_after)
            os.kill(pid, signal.SIGKILL)
        _, ended = os.waitpid(pid, 0)
        print(json.dumps([os.waitstatus_to_exitcode(ended), time.monotonic() - begun]), flush=True)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[3]))
    _serve()
