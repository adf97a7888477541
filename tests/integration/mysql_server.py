"""A real MariaDB server for tests. Not for production."""

from __future__ import annotations

import os
import shutil
import uuid
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import pymysql
from tests.integration.server import Server, answers, free_port

#: Several servers at once would want more of it than a machine has.
_NO_AIO = "--innodb-use-native-aio=OFF"


def _program(name: str) -> str:
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    assert found is not None, f"tests against MariaDB need `{name}`: apt-get install mariadb-server"
    return found


@dataclass
class MySQLServer(Server):
    """A server whose user `root` has no password. It refuses to be run by the root of the machine."""

    as_nobody: ClassVar[bool] = True

    options: tuple[str, ...] = ()
    port: int = field(default_factory=free_port)

    @property
    def url(self) -> str:
        return f"mysql://root@127.0.0.1:{self.port}/"

    def start(self) -> Self:
        self._carry_out(
            _program("mariadb-install-db"), "--no-defaults", f"--datadir={self.folder}/data", "--skip-test-db",
            "--auth-root-authentication-method=normal", _NO_AIO, f"--tmpdir={self.folder}",
        )  # fmt: skip
        self._run(
            _program("mariadbd"), "--no-defaults", f"--datadir={self.folder}/data", f"--port={self.port}", "--bind-address=127.0.0.1",
            f"--socket={self.folder}/socket", "--skip-log-bin", "--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=64M",
            "--performance-schema=OFF", "--innodb-flush-method=nosync", "--innodb-doublewrite=OFF", _NO_AIO, f"--tmpdir={self.folder}",
            *self.options,
        )  # fmt: skip
        self._wait_until(lambda: answers(self.port))
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
