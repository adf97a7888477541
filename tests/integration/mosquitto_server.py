"""A real Mosquitto server for tests: its own folder and port, stopped by its process id. Not for production."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.integration.nats_server import free_port

STARTUP_SECONDS = 60
_PROGRAM = "/usr/sbin/mosquitto"
_OPEN = "allow_anonymous true"


@dataclass
class MosquittoServer:
    """A server on a free port of this machine, which root runs as `nobody`. `config` says who may come; everybody unless said."""

    config: str = _OPEN
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="headrace-mosquitto-")))
    port: int = field(default_factory=free_port)
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    def start(self) -> MosquittoServer:
        assert Path(_PROGRAM).exists(), "tests against MQTT need a server: apt-get install mosquitto"
        limits = "max_queued_messages 0\nmax_inflight_messages 0\n"
        (self.folder / "conf").write_text(f"listener {self.port} 127.0.0.1\n{limits}{self.config}\n")
        user = "nobody" if os.geteuid() == 0 else None
        if user:
            for path in (self.folder, *self.folder.iterdir()):
                shutil.chown(path, user)
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [_PROGRAM, "-c", str(self.folder / "conf")],
                stdout=log,
                stderr=log,
                user=user,
                extra_groups=[] if user else None,
            )
        self._wait_until_ready()
        return self

    def remove(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(timeout=STARTUP_SECONDS)
            self._process = None
        shutil.rmtree(self.folder, ignore_errors=True)

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + STARTUP_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                exited = self._process is None or self._process.poll() is not None
                if exited or time.monotonic() > deadline:
                    raise AssertionError("Mosquitto did not start:\n" + (self.folder / "log").read_text()) from None
                time.sleep(0.02)
            else:
                return
