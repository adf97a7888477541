"""The 22 queries of TPC-H as pipelines: every engine gives the answers that DuckDB gives to their standard text.

A further engine is a further entry of `ENGINES`: what a project needs for it, and how it reads a table of the benchmark. (Spark, on which
a run takes seconds, is asked by `conformance/engines/spark`.)
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest
from tests.conformance.select.conftest import plain, repr_of
from tests.conformance.select.test_tpch import QUERIES, TABLES
from tests.examples.conftest import ROOT
from tests.integration.runs.project import Project

PIPELINES = sorted((ROOT / "examples" / "tpch").glob("*.yaml"))
#: How a table is read, in place of the file that the example names.
Reads = Callable[[str], Mapping[str, Any]]


@pytest.fixture(scope="session")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The eight tables at a hundredth of their size, as Parquet."""
    folder = tmp_path_factory.mktemp("tpch")
    command = Path(sysconfig.get_path("scripts")) / ("tpchgen-cli.exe" if sys.platform == "win32" else "tpchgen-cli")
    subprocess.run([command, "parquet", "-s", "0.01", "--output-dir", folder], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="session")
def answers(tables: Path) -> Mapping[str, list[tuple[Any, ...]]]:
    """What DuckDB says to the texts of the standard."""
    with duckdb.connect() as con:
        for table in TABLES:
            con.execute(f"CREATE VIEW {table} AS FROM '{tables}/{table}.parquet'")
        return {path.stem: con.execute(path.read_text()).fetchall() for path in QUERIES}


def on_files(request: pytest.FixtureRequest, project: Path) -> Reads:
    """The files where they are."""
    folder = request.getfixturevalue("tables")
    return lambda table: {"file": {"path": f"{folder}/{table}.parquet"}}


def in_postgres(request: pytest.FixtureRequest, project: Path) -> Reads:
    """Tables of the database that the engine works in."""
    url = request.getfixturevalue("warehouse")
    (project / "headrace.toml").write_text(f"[engines.postgres]\nurl = {json.dumps(url)}\n")
    return lambda table: {"postgres": {"url": url, "table": table}}


ENGINES: Mapping[str, Callable[[pytest.FixtureRequest, Path], Reads]] = {"duckdb": on_files, "postgres": in_postgres}


@pytest.fixture(scope="session")
def warehouse(tables: Path, postgres_server: Any) -> str:
    """A database that has the eight tables."""
    url: str = postgres_server.new_database()
    kinds = {"BIGINT": "bigint", "INTEGER": "integer", "VARCHAR": "text", "DATE": "date"}
    with psycopg.connect(url, autocommit=True) as db, duckdb.connect() as con:
        for table in TABLES:
            rows = f"'{tables}/{table}.parquet'"
            described = con.execute(f"DESCRIBE FROM {rows}").fetchall()
            columns = ", ".join(f"{name} {kinds.get(kind, kind.replace('DECIMAL', 'numeric'))}" for name, kind, *_ in described)
            db.execute(f"CREATE TABLE {table} ({columns})")  # type: ignore[call-overload]
            con.execute(f"COPY (FROM {rows}) TO '{tables}/{table}.csv' (HEADER false)")
            with db.cursor().copy(f"COPY {table} FROM STDIN (FORMAT csv)") as copy:  # type: ignore[arg-type]
                copy.write((tables / f"{table}.csv").read_bytes())
    return url


def test_every_query_is_a_pipeline() -> None:
    assert [path.stem for path in PIPELINES] == [path.stem for path in QUERIES]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("path", PIPELINES, ids=lambda path: path.stem)
def test_every_engine_gives_the_answer_of_the_standard(
    path: Path, engine: str, answers: Mapping[str, list[tuple[Any, ...]]], request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    reads = ENGINES[engine](request, tmp_path)
    text = re.sub(r"\{file: \{path: data/(\w+)\.parquet\}\}", lambda found: json.dumps(reads(found[1])), path.read_text())
    Project(tmp_path).text("pipeline.yaml", f"engine: {engine}\n{text}")
    assert Project(tmp_path).run().state == "succeeded"
    with duckdb.connect() as con:
        found = con.execute(f"FROM '{tmp_path}/out/{path.stem}.parquet'").fetchall()
    first, second = (sorted((tuple(map(plain, row)) for row in rows), key=repr_of) for rows in (answers[path.stem], found))
    assert first
    assert second == first
