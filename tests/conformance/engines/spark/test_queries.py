"""Queries that nobody would write, and the 22 of TPC-H, give on Spark the rows that they give on DuckDB."""

from __future__ import annotations

import re
import subprocess
import sysconfig
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from tests.conformance.engines import tables as of_duckdb
from tests.conformance.engines.adapters import DuckDB
from tests.conformance.engines.spark.adapter import Spark
from tests.conformance.engines.spark.tables import fill
from tests.conformance.engines.test_queries import TABLES
from tests.conformance.select.conftest import described, plain, repr_of
from tests.conformance.select.test_random_queries import queries
from tests.conformance.select.test_tpch import QUERIES
from tests.conformance.select.test_tpch import TABLES as OF_TPCH

from headrace.business.processing.relation import Dataset, Relation
from headrace.business.processing.select import bind_select
from headrace.business.processing.steps.sql import SqlStep
from headrace.infrastructure.engines.spark.area import read


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


@pytest.fixture(scope="module")
def tpch(tmp_path_factory: pytest.TempPathFactory, duckdb: DuckDB) -> tuple[Mapping[str, Relation], Mapping[str, str]]:
    folder = tmp_path_factory.mktemp("tpch")
    command = Path(sysconfig.get_path("scripts")) / "tpchgen-cli"
    subprocess.run([command, "parquet", "-s", "0.01", "--output-dir", folder], check=True, capture_output=True)
    for table in OF_TPCH:
        duckdb.run(f"CREATE TABLE {table} AS FROM '{folder}/{table}.parquet'")
    return {t: described(duckdb.con, t) for t in OF_TPCH}, {t: read(folder / f"{t}.parquet") for t in OF_TPCH}


@pytest.mark.parametrize("path", QUERIES, ids=lambda path: path.stem)
def test_tpch_gives_the_same_answer(
    spark: Spark, duckdb: DuckDB, tpch: tuple[Mapping[str, Relation], Mapping[str, str]], path: Path
) -> None:
    datasets, tables = tpch
    text = path.read_text()
    relation = SqlStep.model_validate(SqlStep.written(text)).apply({**datasets, "input": datasets["lineitem"]})
    assert spark.relation_problems(relation) == []
    answers = [duckdb.fetch(text), spark.fetch(spark.statement([("answer", relation)], "answer", tables))]
    if not re.search(r"order\s+by\s[^()]*$", text, re.IGNORECASE):
        answers = [sorted(rows, key=repr_of) for rows in answers]
    meant, found = ([tuple(map(plain, row)) for row in rows] for rows in answers)
    assert meant
    assert found == meant
