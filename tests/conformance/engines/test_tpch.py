"""The 22 queries of TPC-H as steps: every engine gives the rows that DuckDB gives for the text as it was written."""

from __future__ import annotations

import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.conformance.engines.adapters import DuckDB, Postgres, duckdb_engine, postgres_engine
from tests.conformance.select.conftest import described, plain, repr_of
from tests.conformance.select.test_tpch import QUERIES, TABLES
from tests.integration.postgres_server import PostgresServer

from headrace.business.processing.relation import Relation
from headrace.business.processing.steps.sql import SqlStep

#: Without these, one query looks through all lines for each of ten thousand parts.
KEYS = {
    "lineitem": "l_partkey, l_suppkey",
    "partsupp": "ps_partkey, ps_suppkey",
    "orders": "o_orderkey",
    "customer": "c_custkey",
}


@pytest.fixture(scope="module")
def tpch(
    tmp_path_factory: pytest.TempPathFactory, server: PostgresServer
) -> Iterator[tuple[DuckDB, Postgres, Mapping[str, Relation]]]:
    folder = tmp_path_factory.mktemp("tpch")
    command = Path(sysconfig.get_path("scripts")) / ("tpchgen-cli.exe" if sys.platform == "win32" else "tpchgen-cli")
    subprocess.run([command, "parquet", "-s", "0.01", "--output-dir", folder], check=True, capture_output=True)
    with duckdb_engine() as duckdb, postgres_engine(server.new_database()) as postgres:
        datasets = {}
        for table in TABLES:
            duckdb.run(f"CREATE TABLE {table} AS FROM '{folder}/{table}.parquet'")
            datasets[table] = described(duckdb.con, table)
            columns = ", ".join(f"{postgres.identifier(c.name)} {postgres.type_name(c.type)}" for c in datasets[table].schema)
            postgres.run(f"CREATE TABLE {table} ({columns})")
            duckdb.run(f"COPY {table} TO '{folder}/{table}.csv' (HEADER false)")
            with postgres.con.cursor().copy(f"COPY {table} FROM STDIN (FORMAT csv)") as copy:  # type: ignore[arg-type]
                copy.write((folder / f"{table}.csv").read_bytes())
        for table, key in KEYS.items():
            postgres.run(f"CREATE INDEX ON {table} ({key})")
        postgres.run("ANALYZE")
        yield duckdb, postgres, datasets


@pytest.mark.parametrize("path", QUERIES, ids=lambda path: path.stem)
def test_every_engine_gives_the_same_answer(path: Path, tpch: Any) -> None:
    duckdb, postgres, datasets = tpch
    text = path.read_text()
    relation = SqlStep.model_validate(SqlStep.written(text)).apply({**datasets, "input": datasets["lineitem"]})
    answers = [duckdb.fetch(text)]
    for engine in (duckdb, postgres):
        assert engine.relation_problems(relation) == []
        answers.append(
            engine.fetch(
                engine.statement([("answer", relation)], "answer", {name: engine.identifier(name) for name in datasets})
            )
        )
    if not re.search(r"order\s+by\s[^()]*$", text, re.IGNORECASE):
        answers = [sorted(rows, key=repr_of) for rows in answers]
    first, *others = ([tuple(map(plain, row)) for row in rows] for rows in answers)
    assert first
    for rows in others:
        assert rows == first
