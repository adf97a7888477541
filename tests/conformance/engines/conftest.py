"""Both engines, ready to compute: DuckDB in this process, PostgreSQL as a server of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest
from tests.conformance.engines.adapters import Adapter, duckdb_engine, postgres_engine
from tests.integration.postgres_server import PostgresServer


@pytest.fixture(scope="module")
def engines(postgres_server: PostgresServer) -> Iterator[Mapping[str, Adapter]]:
    with duckdb_engine() as duckdb, postgres_engine(postgres_server.new_database()) as postgres:
        yield {duckdb.name: duckdb, postgres.name: postgres}
