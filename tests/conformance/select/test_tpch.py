"""The 22 queries of TPC-H, in their standard text with the parameters of validation, give the rows that DuckDB gives for the text."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest

QUERIES = sorted((Path(__file__).parent / "tpch").glob("q*.sql"))
TABLES = ("customer", "lineitem", "nation", "orders", "part", "partsupp", "region", "supplier")


@pytest.fixture(scope="module")
def tpch(tmp_path_factory: pytest.TempPathFactory, describe: Callable) -> Iterator:
    folder = tmp_path_factory.mktemp("tpch")
    command = Path(sysconfig.get_path("scripts")) / ("tpchgen-cli.exe" if sys.platform == "win32" else "tpchgen-cli")
    subprocess.run([command, "parquet", "-s", "0.01", "--output-dir", folder], check=True, capture_output=True)
    with duckdb.connect() as connection:
        for table in TABLES:
            connection.execute(f"create table {table} as from '{folder}/{table}.parquet'")
        yield describe(connection)


def test_all_queries_are_here() -> None:
    assert [path.stem for path in QUERIES] == [f"q{number:02}" for number in range(1, 23)]


@pytest.mark.parametrize("path", QUERIES, ids=lambda path: path.stem)
def test_gives_the_same_rows(path: Path, tpch) -> None:
    tpch.check(path.read_text())
