"""The state database in both its forms: every test here runs on SQLite and on PostgreSQL."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from tests.integration.postgres_server import PostgresServer

from headrace.infrastructure.storage.database import Database
from headrace.infrastructure.storage.postgres_database import PostgresDatabase
from headrace.infrastructure.storage.sqlite_database import SqliteDatabase

#: Opens the same database anew, as another process would.
Opens = Callable[[], Database]


@pytest.fixture(scope="session")
def server() -> Iterator[PostgresServer]:
    server = PostgresServer()
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture(params=["sqlite", "postgres"])
def opens(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opens]:
    """Makes connections to one empty database; all are closed after the test."""
    made: list[Database] = []

    def keep(database: Database) -> Database:
        made.append(database)
        return database

    if request.param == "sqlite":
        yield lambda: keep(SqliteDatabase(tmp_path / "state" / "headrace.db"))
    else:
        server: PostgresServer = request.getfixturevalue("server")
        name = f"test_{uuid.uuid4().hex[:12]}"
        with psycopg.connect(server.url(), autocommit=True) as admin:
            admin.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')  # type: ignore[call-overload]
        yield lambda: keep(PostgresDatabase(lambda: server.url(name), "postgres"))
    for database in made:
        database.close()


@pytest.fixture
def database(opens: Opens) -> Database:
    return opens()
