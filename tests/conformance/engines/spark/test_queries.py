"""Queries that nobody would write give on Spark the rows that they give on DuckDB. (For those of TPC-H, see `examples`.)"""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from tests.conformance.engines import tables as of_duckdb
from tests.conformance.engines.adapters import DuckDB
from tests.conformance.engines.spark.adapter import Spark
from tests.conformance.engines.spark.tables import fill
from tests.conformance.engines.test_queries import TABLES
from tests.conformance.select.conftest import plain, repr_of
from tests.conformance.select.test_random_queries import queries

from headrace.business.processing.relation import Dataset
from headrace.business.processing.select import bind_select


@pytest.fixture(scope="module")
def filled(spark: Spark, duckdb: DuckDB) -> Mapping[str, str]:
    of_duckdb.fill(duckdb, TABLES)
    return fill(spark, TABLES)


@given(text=queries())
@settings(max_examples=15, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
def test_the_same_rows(spark: Spark, duckdb: DuckDB, filled: Mapping[str, str], text: str) -> None:
    relation = bind_select(text, {name: Dataset(schema, name) for name, (schema, _) in TABLES.items()})
    assert spark.relation_problems(relation) == []
    names = {name: duckdb.identifier(name) for name in TABLES}
    meant = duckdb.fetch(duckdb.statement([("q", relation)], "q", names))
    found = spark.fetch(spark.statement([("q", relation)], "q", filled))
    assert sorted((tuple(map(plain, row)) for row in found), key=repr_of) == sorted(
        (tuple(map(plain, row)) for row in meant), key=repr_of
    ), text
