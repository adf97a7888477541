"""A real NATS server with JetStream for tests: its own folder and port, stopped by its process id. Not for production."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

STARTUP_SECONDS = 60


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class NatsServer:
    """A server on a free port of this machine, which keeps its streams over a restart. `config` is put into its configuration."""

    config: str = ""
    jetstream: bool = True
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="headrace-nats-")))
    port: int = field(default_factory=free_port)
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    def start(self) -> NatsServer:
        written = f'listen: "127.0.0.1:{self.port}"\n{self.config}\n'
        if self.jetstream:
            written += f'jetstream {{ store_dir: "{self.folder}/js" }}\n'
        (self.folder / "nats.conf").write_text(written)
        program = Path(sys.executable).parent / "nats-server"
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen([str(program), "-c", str(self.folder / "nats.conf")], stdout=log, stderr=log)
        self._wait_until_ready()
        return self

    def kill(self) -> None:
        """Without a word to its clients."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(timeout=STARTUP_SECONDS)
            self._process = None

    def remove(self) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + STARTUP_SECONDS
        while True:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=1) as probe:
                    if probe.recv(4) == b"INFO":
                        return
            except OSError:
                pass
            exited = self._process is None or self._process.poll() is not None
            if exited or time.monotonic() > deadline:
                raise AssertionError("NATS did not start:\n" + (self.folder / "log").read_text())
            time.sleep(0.02)
