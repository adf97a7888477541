"""Servers for integration tests: one PostgreSQL and one MariaDB per worker, an empty database per test."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from tests.integration.mysql_server import MySQLServer
from tests.integration.postgres_server import PostgresServer
from tests.integration.seaweed_server import SeaweedServer
from tests.integration.snowflake_server import SnowflakeServer


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """The server of this worker; started by the first test that asks for it."""
    with PostgresServer.running() as server:
        yield server


@pytest.fixture(scope="session")
def seaweed_server() -> Iterator[SeaweedServer]:
    """The S3 server of this worker; started by the first test that asks for it."""
    with SeaweedServer.running() as server:
        yield server


@pytest.fixture(scope="session")
def snowflake_server() -> Iterator[SnowflakeServer]:
    """The server of this worker that speaks as Snowflake does; started by the first test that asks for it."""
    with SnowflakeServer.running() as server:
        yield server


@pytest.fixture
def postgres(postgres_server: PostgresServer) -> Iterator[str]:
    """The URL of an empty database that is dropped after the test."""
    url = postgres_server.new_database()
    yield url
    name = url.rpartition("/")[2]
    with psycopg.connect(postgres_server.url(), autocommit=True) as admin:
        admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')  # type: ignore[call-overload]


@pytest.fixture(scope="session")
def mysql_server() -> Iterator[MySQLServer]:
    """The server of this worker; started by the first test that asks for it."""
    with MySQLServer.running() as server:
        yield server


@pytest.fixture
def mysql(mysql_server: MySQLServer) -> Iterator[str]:
    """The URL of an empty database that is dropped after the test."""
    url = mysql_server.new_database()
    yield url
    mysql_server.ask(f"DROP DATABASE {url.rpartition('/')[2]}")
