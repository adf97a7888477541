"""A real Mosquitto server for tests. Not for production."""

from __future__ import annotations

import signal
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Self

from tests.integration.server import Server, answers, free_port

_PROGRAM = "/usr/sbin/mosquitto"
_OPEN = "allow_anonymous true"


@dataclass
class MosquittoServer(Server):
    """A server whose `config` says who may come; everybody unless said."""

    as_nobody: ClassVar[bool] = True
    ended_by: ClassVar[signal.Signals] = signal.SIGKILL

    config: str = _OPEN
    port: int = field(default_factory=free_port)

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    def start(self) -> Self:
        assert Path(_PROGRAM).exists(), "tests against MQTT need a server: apt-get install mosquitto"
        limits = "max_queued_messages 0\nmax_inflight_messages 0\n"
        (self.folder / "conf").write_text(f"listener {self.port} 127.0.0.1\n{limits}{self.config}\n")
        self._own(*self.folder.iterdir())
        self._run(_PROGRAM, "-c", self.folder / "conf")
        self._wait_until(lambda: answers(self.port))
        return self
