"""A real MariaDB server for tests: its own folder and port, started once, stopped by its process id. Not for production."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pymysql

STARTUP_SECONDS = 60
#: Several servers at once would want more of it than a machine has.
_NO_AIO = "--innodb-use-native-aio=OFF"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _program(name: str) -> str:
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    assert found is not None, f"tests against MariaDB need `{name}`: apt-get install mariadb-server"
    return found


@dataclass
class MySQLServer:
    """A server on a free port of this machine, which root runs as `nobody`. Its user `root` has no password."""

    options: tuple[str, ...] = ()
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="headrace-mysql-")))
    port: int = field(default_factory=_free_port)
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"mysql://root@127.0.0.1:{self.port}/"

    def start(self) -> MySQLServer:
        if os.geteuid() == 0:
            shutil.chown(self.folder, "nobody")
        self.folder.chmod(0o700)
        install = self._run(
            _program("mariadb-install-db"), "--no-defaults", f"--datadir={self.folder}/data", "--skip-test-db",
            "--auth-root-authentication-method=normal", _NO_AIO,
        )  # fmt: skip
        assert install.wait(STARTUP_SECONDS) == 0, (self.folder / "log").read_text()
        self._process = self._run(
            _program("mariadbd"), "--no-defaults", f"--datadir={self.folder}/data", f"--port={self.port}", "--bind-address=127.0.0.1",
            f"--socket={self.folder}/socket", "--skip-log-bin", "--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=64M",
            "--performance-schema=OFF", "--innodb-flush-method=nosync", "--innodb-doublewrite=OFF", _NO_AIO, *self.options,
        )  # fmt: skip
        self._wait_until_ready()
        return self

    def ask(self, statement: str, **connecting: Any) -> list[tuple[Any, ...]]:
        """Carry out a statement as `root`; all rows."""
        with (
            pymysql.connect(unix_socket=f"{self.folder}/socket", user="root", autocommit=True, **connecting) as con,
            con.cursor() as cursor,
        ):
            cursor.execute(statement)
            return list(cursor.fetchall())

    def new_database(self) -> str:
        """The URL of a database with nothing in it."""
        name = f"test_{uuid.uuid4().hex[:12]}"
        self.ask(f"CREATE DATABASE {name}")
        return self.url + name

    def own_file(self, name: str, content: bytes) -> Path:
        """A file that the server may read and nobody else."""
        path = self.folder / name
        path.write_bytes(content)
        path.chmod(0o600)
        if os.geteuid() == 0:
            shutil.chown(path, "nobody")
        return path

    @classmethod
    @contextmanager
    def running(cls) -> Iterator[MySQLServer]:
        """A server for as long as it is needed."""
        server = cls()
        try:
            yield server.start()
        finally:
            server.stop()

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(timeout=STARTUP_SECONDS)
            self._process = None
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        user = "nobody" if os.geteuid() == 0 else None
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                [program, *arguments], stdout=log, stderr=log, user=user, cwd=self.folder, extra_groups=[] if user else None
            )

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + STARTUP_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                exited = self._process is None or self._process.poll() is not None
                if exited or time.monotonic() > deadline:
                    raise AssertionError("MariaDB did not start:\n" + (self.folder / "log").read_text()) from None
                time.sleep(0.05)
            else:
                return
