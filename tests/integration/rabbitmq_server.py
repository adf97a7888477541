"""A real RabbitMQ server for tests, with its plugin for streams: its own folder and ports, stopped by its process ids. Not for production."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import trustme
from tests.integration.nats_server import free_port

STARTUP_SECONDS = 120
_PROGRAM = "/usr/lib/rabbitmq/bin/rabbitmq-server"


@dataclass
class RabbitMQServer:
    """A server on free ports of this machine, which root runs as `nobody`. Its user `guest` has the password `guest`."""

    settings: Mapping[str, str] = field(default_factory=dict)
    """Further lines of its configuration."""
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="headrace-rabbitmq-")))
    port: int = field(default_factory=free_port)
    stream_port: int = field(default_factory=free_port)
    authority: trustme.CA = field(default_factory=trustme.CA)
    """Vouches for `localhost` at the ports with TLS."""
    tls_port: int = field(default_factory=free_port)
    stream_tls_port: int = field(default_factory=free_port)
    _epmd_port: int = field(default_factory=free_port)
    _distribution_port: int = field(default_factory=free_port)
    _processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}/"

    def start(self) -> RabbitMQServer:
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
        if os.geteuid() == 0:
            for path in (self.folder, *self.folder.iterdir()):
                shutil.chown(path, "nobody")
        environment = {
            "PATH": os.environ["PATH"], "HOME": str(self.folder), "LANG": "C.UTF-8", "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1", "RABBITMQ_NODENAME": f"headrace{self.port}@localhost", "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self._distribution_port), "RABBITMQ_MNESIA_BASE": str(self.folder / "data"),
            "RABBITMQ_LOG_BASE": str(self.folder / "logs"), "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"), "RABBITMQ_PID_FILE": str(self.folder / "pid"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 2:2 +sbwt none",
        }  # fmt: skip
        self._run(["epmd", "-port", str(self._epmd_port), "-address", "127.0.0.1"], environment)
        self._run([_PROGRAM], environment)
        self._wait_until_ready()
        return self

    @classmethod
    @contextmanager
    def running(cls) -> Iterator[RabbitMQServer]:
        """A server for as long as it is needed."""
        server = cls()
        try:
            yield server.start()
        finally:
            server.remove()

    def kill(self) -> None:
        """Without a word to its clients. The program starts others, in a session of its own."""
        for process in reversed(self._processes):
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=STARTUP_SECONDS)
        self._processes.clear()

    def remove(self) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, command: list[str], environment: Mapping[str, str]) -> None:
        user = "nobody" if os.geteuid() == 0 else None
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=self.folder, env=dict(environment), user=user,
                extra_groups=[] if user else None, start_new_session=True,
            )  # fmt: skip
        self._processes.append(process)

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + STARTUP_SECONDS
        for port in (self.port, self.stream_port):
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), timeout=1).close()
                    break
                except OSError:
                    exited = not self._processes or self._processes[-1].poll() is not None
                    if exited or time.monotonic() > deadline:
                        raise AssertionError("RabbitMQ did not start:\n" + (self.folder / "log").read_text()[-4000:]) from None
                    time.sleep(0.1)
