"""A real NATS server with JetStream for tests. Not for production."""

from __future__ import annotations

import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Self

from tests.integration.server import Server, answers, free_port


@dataclass
class NatsServer(Server):
    """A server that keeps its streams over a restart. `config` is put into its configuration."""

    ended_by: ClassVar[signal.Signals] = signal.SIGKILL

    config: str = ""
    jetstream: bool = True
    port: int = field(default_factory=free_port)

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    def start(self) -> Self:
        written = f'listen: "127.0.0.1:{self.port}"\n{self.config}\n'
        if self.jetstream:
            written += f'jetstream {{ store_dir: "{self.folder}/js" }}\n'
        (self.folder / "nats.conf").write_text(written)
        self._run(Path(sys.executable).parent / "nats-server", "-c", self.folder / "nats.conf")
        self._wait_until(lambda: answers(self.port, answer=b"INFO"))
        return self
