"""Both engines, ready to compute: DuckDB in this process, PostgreSQL as a server of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest
from tests.conformance.engines.adapters import Adapter, duckdb_engine, postgres_engine
from tests.integration.postgres_server import PostgresServer


@pytest.fixture(scope="session")
def server() -> Iterator[PostgresServer]:
    with PostgresServer.running() as server:
        yield server


@pytest.fixture(scope="module")
def engines(server: PostgresServer) -> Iterator[Mapping[str, Adapter]]:
    with duckdb_engine() as duckdb, postgres_engine(server.new_database()) as postgres:
        yield {duckdb.name: duckdb, postgres.name: postgres}
