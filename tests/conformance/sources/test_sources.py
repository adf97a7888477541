"""Our own sources pass the kit that is meant for everyone's."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import deltalake
import duckdb
import pyarrow as pa
import pytest
from pyiceberg.catalog.sql import SqlCatalog
from tests.conformance.sources.kit import ALL

from headrace.business.ports import Scannable, Source
from headrace.infrastructure.connectors.duckdb_source import DuckDBSource
from headrace.infrastructure.connectors.lakes.delta_source import DeltaSource
from headrace.infrastructure.connectors.lakes.iceberg_source import IcebergSource
from headrace.infrastructure.connectors.python_source import PythonSource
from headrace.infrastructure.connectors.sqlite_source import SQLiteSource

ROWS = 45_000


def sqlite_source(folder: Path) -> Source:
    with closing(sqlite3.connect(folder / "a.db")) as con:
        con.execute("CREATE TABLE t (i INTEGER, s TEXT)")
        con.executemany("INSERT INTO t VALUES (?, ?)", ((i, f"row {i}") for i in range(ROWS)))
        con.commit()
    return SQLiteSource(path="a.db", table="t")


def duckdb_source(folder: Path) -> Source:
    with duckdb.connect(str(folder / "a.duckdb")) as con:
        con.execute(f"CREATE TABLE t AS SELECT range AS i, 'row ' || range AS s FROM range({ROWS})")
    return DuckDBSource(path="a.duckdb", table="t")


def python_source(folder: Path) -> Source:
    (folder / "rows.py").write_text(f"def rows():\n    for i in range({ROWS}):\n        yield {{'i': i, 's': f'row {{i}}'}}\n")
    return PythonSource(call="rows.py:rows")


def lake_rows(start: int) -> pa.Table:
    numbers = list(range(start, start + ROWS // 2))
    return pa.table({"i": pa.array(numbers, pa.int64()), "s": [f"row {i}" for i in numbers]})


def delta_source(folder: Path) -> Source:
    for start in (0, ROWS // 2):
        deltalake.write_deltalake(folder / "t", lake_rows(start), mode="append")
    return DeltaSource(path="t")


def iceberg_source(folder: Path) -> Source:
    with closing(SqlCatalog("default", uri=f"sqlite:///{folder}/catalog.sqlite", warehouse=f"file://{folder}")) as catalog:
        catalog.create_namespace("n")
        table = catalog.create_table("n.t", lake_rows(0).schema)
        for start in (0, ROWS // 2):
            table.append(lake_rows(start))
    return IcebergSource(table="n.t", warehouse=".")


@pytest.mark.parametrize("law", ALL)
@pytest.mark.parametrize("make", [sqlite_source, duckdb_source, python_source, delta_source, iceberg_source])
def test_the_law_holds(make: Callable[[Path], Any], law: Callable[[Any, Path], None], tmp_path: Path) -> None:
    source = make(tmp_path)
    assert isinstance(source, Source)
    assert isinstance(source, Scannable)
    law(source, tmp_path)
