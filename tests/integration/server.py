"""A program that tests start as a server: in a folder and on ports of its own, and gone with the tests, however those end. What a kind of
server is told and when it is there is said by its own module.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

#: Reads which groups of processes run now, a line at each change. When nobody is left to write one, whatever ended them, those go too.
_WATCH = 'while read -r now; do groups=$now; done; [ -z "$groups" ] || kill -s KILL -- $groups 2> /dev/null; rm -rf -- "$0"'


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(port: int, question: bytes = b"", answer: bytes = b"") -> bool:
    """Whether a server is there that takes connections, and whose answer begins so."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as probe:
            probe.sendall(question)
            return probe.recv(len(answer)) == answer if answer else True
    except OSError:
        return False


@dataclass(kw_only=True)
class Server:
    """A server in a folder that only it may read. `start` gives it; it keeps its data from `stop` or `kill` to the next `start`."""

    as_nobody: ClassVar[bool] = False
    """Whether root runs it as `nobody`, because it refuses to be run by root."""
    ended_by: ClassVar[signal.Signals] = signal.SIGTERM
    starts_within: ClassVar[float] = 60
    stops_within: ClassVar[float] = 60
    """Seconds. What takes longer is killed."""

    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="headrace-server-")))
    _processes: list[subprocess.Popen[bytes]] = field(default_factory=list, init=False, repr=False)
    _watch: subprocess.Popen[bytes] | None = field(default=None, init=False, repr=False)

    def start(self) -> Self:
        raise AssertionError(f"{type(self).__name__} has to say how it starts")

    @classmethod
    @contextmanager
    def running(cls, **options: Any) -> Iterator[Self]:
        """A server for as long as it is needed."""
        server = cls(**options)
        try:
            yield server.start()
        finally:
            server.remove()

    def stop(self) -> None:
        """As its makers want it stopped."""
        for process in reversed(self._processes):
            process.send_signal(self.ended_by)
            try:
                process.wait(timeout=self.stops_within)
            except subprocess.TimeoutExpired:
                break
        self.kill()

    def kill(self) -> None:
        """Without a word to its clients, and with all that it has started."""
        for process in reversed(self._processes):
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=60)
        self._processes.clear()
        self._tell()

    def remove(self) -> None:
        """End it, and leave nothing of it: no time to put in order what nobody will see."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
        if self._watch is not None:
            self._watch.communicate(timeout=60)
            self._watch = None

    @property
    def log(self) -> str:
        """What it has said so far."""
        path = self.folder / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def own_file(self, name: str, content: bytes) -> Path:
        """A file that the server may read and nobody else."""
        path = self.folder / name
        path.write_bytes(content)
        path.chmod(0o600)
        self._own(path)
        return path

    def _own(self, *paths: Path) -> None:
        """Let the user of the server have these."""
        if self._user:
            for path in (self.folder, *paths):
                shutil.chown(path, self._user)

    @property
    def _user(self) -> str | None:
        return "nobody" if self.as_nobody and os.geteuid() == 0 else None

    def _run(self, *command: object, env: Mapping[str, str] | None = None) -> None:
        """Start a process of the server, which goes on."""
        self._processes.append(self._begin(*command, env=env))
        self._tell()

    def _carry_out(self, *command: object) -> None:
        """Let a program come to its end that the server needs first."""
        assert self._begin(*command).wait(self.starts_within) == 0, self.log[-4000:]

    def _begin(self, *command: object, env: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        self._own()
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                list(map(str, command)), stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=self.folder, env=env, start_new_session=True,
                user=self._user, extra_groups=[] if self._user else None,
            )  # fmt: skip

    def _wait_until(self, ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + self.starts_within
        while not ready():
            exited = any(process.poll() is not None for process in self._processes)
            if exited or time.monotonic() > deadline:
                raise AssertionError(f"{type(self).__name__} did not start:\n{self.log[-4000:]}")
            time.sleep(0.02)

    def _tell(self) -> None:
        """Tell the watch which processes there are. It is in a session of its own, so that nothing ends it with the tests."""
        if self._watch is None:
            self._watch = subprocess.Popen(
                ["/bin/sh", "-c", _WATCH, str(self.folder)], stdin=subprocess.PIPE, start_new_session=True
            )
        assert self._watch.stdin is not None
        self._watch.stdin.write(" ".join(f"-{process.pid}" for process in self._processes).encode() + b"\n")
        self._watch.stdin.flush()
