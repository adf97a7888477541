"""A real RabbitMQ server for tests, with its plugin for streams. Not for production."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Self

import trustme
from tests.integration.server import Server, answers, free_port

_PROGRAM = "/usr/lib/rabbitmq/bin/rabbitmq-server"


@dataclass
class RabbitMQServer(Server):
    """A server whose user `guest` has the password `guest`."""

    as_nobody: ClassVar[bool] = True
    ended_by: ClassVar[signal.Signals] = signal.SIGKILL
    starts_within: ClassVar[float] = 120

    settings: Mapping[str, str] = field(default_factory=dict)
    """Further lines of its configuration."""
    port: int = field(default_factory=free_port)
    stream_port: int = field(default_factory=free_port)
    authority: trustme.CA = field(default_factory=trustme.CA)
    """Vouches for `localhost` at the ports with TLS."""
    tls_port: int = field(default_factory=free_port)
    stream_tls_port: int = field(default_factory=free_port)
    _epmd_port: int = field(default_factory=free_port)
    _distribution_port: int = field(default_factory=free_port)

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}/"

    def start(self) -> Self:
        assert Path(_PROGRAM).exists(), "tests against RabbitMQ need its server: apt-get install rabbitmq-server"
        own = {
            "listeners.tcp.1": f"127.0.0.1:{self.port}", "stream.listeners.tcp.1": f"127.0.0.1:{self.stream_port}",
            "stream.advertised_host": "127.0.0.1", "stream.advertised_port": str(self.stream_port), "log.file.level": "warning",
            "vm_memory_high_watermark.relative": "0.2", "disk_free_limit.absolute": "50MB", "total_memory_available_override_value": "4GB",
        }  # fmt: skip
        issued = self.authority.issue_cert("localhost")
        self.authority.cert_pem.write_to_path(self.folder / "ca.pem")
        issued.cert_chain_pems[0].write_to_path(self.folder / "cert.pem")
        issued.private_key_pem.write_to_path(self.folder / "key.pem")
        own |= {
            "listeners.ssl.1": f"127.0.0.1:{self.tls_port}", "stream.listeners.ssl.1": f"127.0.0.1:{self.stream_tls_port}",
            "ssl_options.cacertfile": f"{self.folder}/ca.pem", "ssl_options.certfile": f"{self.folder}/cert.pem",
            "ssl_options.keyfile": f"{self.folder}/key.pem", "ssl_options.verify": "verify_none",
        }  # fmt: skip
        (self.folder / "rabbitmq.conf").write_text("".join(f"{k} = {v}\n" for k, v in {**own, **self.settings}.items()))
        (self.folder / "plugins").write_text("[rabbitmq_stream].\n")
        self._own(*self.folder.iterdir())
        environment = {
            "PATH": os.environ["PATH"], "HOME": str(self.folder), "LANG": "C.UTF-8", "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1", "RABBITMQ_NODENAME": f"headrace{self.port}@localhost", "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self._distribution_port), "RABBITMQ_MNESIA_BASE": str(self.folder / "data"),
            "RABBITMQ_LOG_BASE": str(self.folder / "logs"), "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"), "RABBITMQ_PID_FILE": str(self.folder / "pid"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 2:2 +sbwt none",
        }  # fmt: skip
        self._run("epmd", "-port", self._epmd_port, "-address", "127.0.0.1", env=environment)
        self._run(_PROGRAM, env=environment)
        self._wait_until(lambda: answers(self.port) and answers(self.stream_port))
        return self
