"""A PostgreSQL server for each worker of the tests, an empty database and a project for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.faults.counted import Counted
from tests.faults.processes import Crew, crew
from tests.integration.postgres_server import PostgresServer

Makes = Callable[..., Counted]


@pytest.fixture(scope="session")
def server() -> Iterator[PostgresServer]:
    with PostgresServer.running() as server:
        yield server


@pytest.fixture
def postgres(server: PostgresServer) -> str:
    """The URL of an empty database."""
    return server.new_database()


@pytest.fixture
def project(tmp_path: Path, postgres: str) -> Iterator[Makes]:
    """Makes the project of a test."""
    with ExitStack() as opened:

        def made(**options: Any) -> Counted:
            project = Counted(tmp_path / "project", postgres, **options)
            opened.callback(lambda: project.database.close())
            return project

        yield made


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Crew]:
    with crew(tmp_path / "project") as made:
        yield made
