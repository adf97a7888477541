"""Spark in a JVM of this process, and DuckDB beside it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.conformance.engines.adapters import DuckDB, duckdb_engine
from tests.conformance.engines.spark.adapter import Spark


@pytest.fixture(scope="session")
def spark() -> Spark:
    return Spark()


@pytest.fixture(scope="module")
def duckdb() -> Iterator[DuckDB]:
    with duckdb_engine() as engine:
        yield engine
