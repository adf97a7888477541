"""The state database in both its forms: every test here runs on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.integration.postgres_server import PostgresServer

from headrace.infrastructure.storage.database import Database
from headrace.infrastructure.storage.postgres_database import PostgresDatabase
from headrace.infrastructure.storage.sqlite_database import SqliteDatabase

#: Opens the same database anew, as another process would.
Opens = Callable[[], Database]


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
        server: PostgresServer = request.getfixturevalue("postgres_server")
        url = server.new_database()
        yield lambda: keep(PostgresDatabase(lambda: url, "postgres"))
    for database in made:
        database.close()


@pytest.fixture
def database(opens: Opens) -> Database:
    return opens()
