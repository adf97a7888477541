"""A server that speaks Snowflake's protocol and SQL for tests: fakesnow, which carries statements out on DuckDB. It proves what is said
and in which order, not how Snowflake itself calculates. Its own port and process, stopped by its id. Not for production.
"""

from __future__ import annotations

import itertools
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from headrace.infrastructure.snowflake.account import Account
from headrace.security.secrets import Secret

STARTUP_SECONDS = 60
#: As the command of fakesnow does, but that no database is made by connecting to it.
_SERVING = """
import sys, uvicorn, fakesnow.server
from fakesnow.instance import FakeSnow
fakesnow.server.shared_fs = FakeSnow(create_database_on_connect=False, create_schema_on_connect=False)
uvicorn.run(fakesnow.server.app, host="127.0.0.1", port=int(sys.argv[1]))
"""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class SnowflakeServer:
    """A server on a free port of this machine, which lets everybody in."""

    folder: Path
    port: int = field(default_factory=_free_port)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    @classmethod
    @contextmanager
    def running(cls) -> Iterator[SnowflakeServer]:
        with tempfile.TemporaryDirectory(prefix="headrace-snowflake-") as folder:
            server = cls(Path(folder))
            command = [sys.executable, "-c", _SERVING, str(server.port)]
            with (server.folder / "log").open("wb") as log:
                process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, env={"TMPDIR": folder, "PATH": ""})
            try:
                server._wait_until_ready(process)
                yield server
            finally:
                process.terminate()
                process.wait(timeout=STARTUP_SECONDS)

    def new_database(self) -> str:
        """The name of an empty database."""
        name = f"test_{next(self._numbers)}"
        self.ask("nowhere", f"CREATE DATABASE {name}", f"CREATE SCHEMA IF NOT EXISTS {name}.public")
        return name

    def profile(self, database: str, **more: object) -> dict[str, object]:
        """What a connection of kind `snowflake` says in headrace.toml."""
        return {
            "account": "tests", "user": "etl", "password": "secret", "database": database, "host": "127.0.0.1", "port": self.port,
            "protocol": "http", "retry_seconds": 2, **more,
        }  # fmt: skip

    def account(self, database: str) -> Account:
        return Account(
            "tests",
            "etl",
            database,
            password=Secret("secret"),
            host="127.0.0.1",
            port=self.port,
            protocol="http",
            network_seconds=2,
        )

    def ask(self, database: str, *statements: str) -> list[tuple[object, ...]]:
        """Carry out statements; the rows of the last."""
        with closing(self.account(database).connect()) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return [tuple(row) for row in cursor.fetchall()]

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + STARTUP_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise AssertionError("fakesnow did not start:\n" + (self.folder / "log").read_text()) from None
                time.sleep(0.05)
            else:
                return
