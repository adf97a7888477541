"""Workers and serving processes as they are started by hand, each ended by its own process id. Not what they carry out."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

PATIENCE = 120.0


@dataclass
class Started:
    """A process, and the file that its words go to."""

    process: subprocess.Popen[bytes]
    log: Path

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """Ask it to come to an end, and see that it does."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=PATIENCE)
            except subprocess.TimeoutExpired:
                self.kill()
                raise

    def words(self) -> str:
        return self.log.read_text(errors="replace")


@dataclass
class Crew:
    """The processes of one test."""

    folder: Path
    patience: float = PATIENCE
    all: list[Started] = field(default_factory=list)

    def start(self, command: str = "worker", parallel: int = 1, env: Mapping[str, str] | None = None) -> Started:
        """`headrace worker` or `headrace serve`. `env` is set over what this process has."""
        log = self.folder / f"{command}-{len(self.all)}.log"
        arguments = [sys.executable, "-m", "headrace", command, "--project", str(self.folder), "--parallel", str(parallel)]
        with log.open("wb") as words:
            process = subprocess.Popen(
                arguments, stdout=words, stderr=words, stdin=subprocess.DEVNULL, env={**os.environ, "NO_COLOR": "1"} | dict(env or {})
            )  # fmt: skip
        self.all.append(Started(process, log))
        return self.all[-1]

    def dying_at(self, points: str) -> Started:
        """A worker that passes failpoints, each of which happens once."""
        return self.start(env=self.failpoints(points))

    def failpoints(self, points: str) -> dict[str, str]:
        self.spent.mkdir(exist_ok=True)
        return {"HEADRACE_FAILPOINTS": points, "HEADRACE_FAILPOINTS_SPENT": str(self.spent)}

    @property
    def spent(self) -> Path:
        return self.folder / "spent"

    def pid_at(self, point: str) -> int | None:
        """The process that came to a failpoint, once it has."""
        mark = self.spent / point
        text = mark.read_text() if mark.is_file() else ""  # a round of many has a folder of its own
        return int(text) if text else None

    def until(self, condition: Callable[[], object]) -> None:
        """Wait for something that has to come; what the processes said is told when it does not."""
        deadline = time.monotonic() + self.patience
        while not condition():
            if time.monotonic() > deadline:
                raise AssertionError("waited in vain:\n" + "\n".join(started.words() for started in self.all))
            time.sleep(0.02)


@contextmanager
def crew(folder: Path, patience: float = PATIENCE) -> Iterator[Crew]:
    """Processes that are gone behind this, whatever becomes of the test."""
    made = Crew(folder, patience)
    try:
        yield made
    finally:
        for started in made.all:
            if started.process.poll() is None:
                started.process.send_signal(signal.SIGCONT)
                started.kill()
        marks = made.spent.iterdir() if made.spent.exists() else ()
        for pid in filter(None, (made.pid_at(mark.name) for mark in marks)):
            if state_of(pid) == "T":  # It stopped itself at a failpoint, and nobody is left to wake it.
                os.kill(pid, signal.SIGKILL)


def state_of(pid: int) -> str:
    """`T` for a stopped process, `Z` for one that is dead and not yet buried, empty for none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def is_gone(pid: int) -> bool:
    return state_of(pid) in ("", "Z")
