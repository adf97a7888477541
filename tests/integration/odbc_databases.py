"""Real databases through real drivers of ODBC: PostgreSQL through psqlodbc, MariaDB through its own connector."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from tests.integration.mysql_server import MySQLServer

from headrace.business.connections import Profile
from headrace.business.ports import Source
from headrace.infrastructure.connectors.odbc.connection import OdbcConnection
from headrace.infrastructure.connectors.odbc.source import OdbcSource

POSTGRES, MARIADB = "PostgreSQL Unicode", "MariaDB Unicode"
DRIVERS = {"postgres": POSTGRES, "mysql": MARIADB}


def connection(driver: str, port: int, database: str, user: str, **more: Any) -> OdbcConnection:
    settings: Any = {"Server": "127.0.0.1", "Port": port, "Database": database}
    return OdbcConnection(driver=driver, settings=settings, user=user, **more)


@dataclass(frozen=True)
class Database:
    """An empty database: how it is reached, and what carries out a statement there by another way."""

    kind: str
    url: str
    do: Callable[..., Any]

    @property
    def way(self) -> OdbcConnection:
        at = urlsplit(self.url)
        return connection(DRIVERS[self.kind], at.port or 0, at.path[1:], str(at.username))

    def source(self, **options: Any) -> OdbcSource:
        return OdbcSource(connection=Profile("db", self.way), **options)

    def profile(self, **more: str) -> str:
        """As it stands in headrace.toml."""
        at = urlsplit(self.url)
        beside = "".join(f"{key} = {value!r}\n" for key, value in more.items())
        return (
            f'[connections.db]\nkind = "odbc"\ndriver = "{DRIVERS[self.kind]}"\nuser = "{at.username}"\n{beside}'
            f'[connections.db.settings]\nServer = "127.0.0.1"\nPort = {at.port}\nDatabase = "{at.path[1:]}"\n'
        )


def database(kind: str, request: pytest.FixtureRequest) -> Database:
    url = request.getfixturevalue(kind)
    if kind == "postgres":

        def in_postgres(statement: str) -> None:
            with psycopg.connect(url, autocommit=True) as con:
                con.execute(statement)  # type: ignore[call-overload]

        return Database(kind, url, in_postgres)
    server: MySQLServer = request.getfixturevalue("mysql_server")

    def in_mysql(statement: str, **more: Any) -> None:
        server.ask(statement, database=url.rpartition("/")[2], charset="utf8mb4", **more)

    return Database(kind, url, in_mysql)


def rows(source: Source, here: Path = Path()) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for batch in source.read(here, "all", None) for row in batch.rows.to_pylist()]
