"""Our own sources, steps, checks and sinks keep the laws that the public kit has for everyone's."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from deltalake import DeltaTable
from pyiceberg.catalog.sql import SqlCatalog

from headrace import bootstrap, testing

ORDERS = testing.RowsSource.model_validate(
    {
        "columns": {"id": "int64", "country": "string", "price": "decimal(10, 2)", "day": "date"},
        "rows": [
            {"id": 1, "country": "DE", "price": Decimal("19.90"), "day": date(2024, 1, 3)},
            {"id": 2, "country": "NO", "price": None, "day": date(2024, 1, 4)},
            {"id": 3, "country": "DE", "price": Decimal("4.50"), "day": None},
        ],
    }
)
COUNTRIES = testing.RowsSource.model_validate(
    {
        "columns": {"code": "string", "label": "string"},
        "rows": [{"code": "DE", "label": "Germany"}, {"code": "NO", "label": "Norway"}],
    }
)


def made(group: str, kind: str, written: Any) -> Any:
    plugin = bootstrap.catalog().find(group, kind)
    return plugin.model_validate(plugin.written(written))


def sqlite_rows(folder: Path) -> dict[str, Any]:
    with closing(sqlite3.connect(folder / "a.db")) as con:
        con.execute("CREATE TABLE t (i INTEGER, s TEXT)")
        con.executemany("INSERT INTO t VALUES (?, ?)", ((i, f"row {i}") for i in range(12_000)))
        con.commit()
    return {"path": "a.db", "table": "t"}


def duckdb_rows(folder: Path) -> dict[str, Any]:
    with duckdb.connect(str(folder / "a.duckdb")) as con:
        con.execute("CREATE TABLE t AS SELECT range AS i, 'row ' || range AS s FROM range(5000)")
    return {"path": "a.duckdb", "table": "t"}


def python_rows(folder: Path) -> dict[str, Any]:
    (folder / "rows.py").write_text("def rows():\n    for i in range(12_000):\n        yield {'i': i, 's': f'row {i}'}\n")
    return {"call": "rows.py:rows"}


@pytest.mark.parametrize(("kind", "make"), [("sqlite", sqlite_rows), ("duckdb", duckdb_rows), ("python", python_rows)])
def test_sources(kind, make, tmp_path):
    testing.source_conforms(made("sources", kind, make(tmp_path)), tmp_path)


def test_the_rows_of_a_test_are_a_source_too(tmp_path):
    testing.source_conforms(ORDERS, tmp_path)


STEPS: list[tuple[str, Any]] = [
    ("aggregate", {"by": ["country"], "measures": {"orders": "count(*)", "total": "sum(price)"}}),
    ("cast", {"id": "string"}),
    ("clean", {"case": {"country": "lower"}}),
    ("dedupe", {"key": ["country"], "order_by": "id"}),
    ("derive", {"twice": "price * 2", "when": "coalesce(day, date '2024-01-01')"}),
    ("filter", "price > 5"),
    ("join", {"with": "countries", "on": "country = code"}),
    ("limit", 2),
    ("rename", {"id": "order_id"}),
    ("sample", {"rows": 2}),
    ("select", ["id", "price"]),
    ("sort", "id desc"),
    ("sql", "select country, count(*) as n from orders group by country"),
    ("unpivot", {"columns": ["country"], "name_to": "what", "value_to": "value"}),
    ("window", {"partition_by": ["country"], "order_by": "id", "columns": {"nth": "row_number()"}}),
]


@pytest.mark.parametrize(("kind", "written"), STEPS, ids=[kind for kind, _ in STEPS])
def test_steps(kind, written, tmp_path):
    testing.step_conforms(made("steps", kind, written), tmp_path, orders=ORDERS, countries=COUNTRIES)


CHECKS: list[tuple[str, Any]] = [
    ("distinct_count", {"column": "country", "min": 1}),
    ("expression", "sum(price) > 0"),
    ("freshness", {"column": "day", "max_age": "8 days"}),
    ("max", {"column": "price", "at_most": 100}),
    ("mean", {"column": "price", "between": [1, 20]}),
    ("null_share", {"column": "price", "max": 0.5}),
    ("quantile", {"column": "price", "q": 0.5, "at_least": 1}),
    ("row_count", {"min": 1}),
    ("row_count_anomaly", {"history": "8 weeks"}),
    ("sum", {"column": "price", "at_least": 1}),
    ("unique", ["id"]),
]


@pytest.mark.parametrize(("kind", "written"), CHECKS, ids=[kind for kind, _ in CHECKS])
def test_checks(kind, written, tmp_path):
    assert testing.check_conforms(made("checks", kind, written), tmp_path, ORDERS).outcome in ("pass", "learning")


def in_sqlite(project: Path) -> list[Any]:
    if not (project / "out.sqlite").exists():
        return []
    with closing(sqlite3.connect(project / "out.sqlite")) as con:
        there = con.execute("SELECT 1 FROM sqlite_master WHERE name = 'orders'").fetchall()
        return sorted(con.execute("SELECT id, name, amount FROM orders").fetchall()) if there else []


def in_duckdb(project: Path) -> list[Any]:
    if not (project / "out.duckdb").exists():
        return []
    with duckdb.connect(str(project / "out.duckdb"), read_only=True) as con:
        there = con.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = 'orders'").fetchall()
        return con.execute("SELECT id, name, amount FROM orders ORDER BY ALL").fetchall() if there else []


def in_files(project: Path) -> list[Any]:
    files = [str(file) for file in (project / "out").glob("*.parquet")]
    return (
        duckdb.connect().execute(f"SELECT id, name, amount FROM read_parquet({files}) ORDER BY ALL").fetchall() if files else []
    )


def in_delta(project: Path) -> list[Any]:
    if not DeltaTable.is_deltatable(str(project / "t")):
        return []
    return sorted(tuple(row.values()) for row in pa.table(DeltaTable(project / "t").scan(["id", "name", "amount"])).to_pylist())


def in_iceberg(project: Path) -> list[Any]:
    if not (project / "lake" / "catalog.sqlite").exists():
        return []
    where = {"uri": f"sqlite:///{project}/lake/catalog.sqlite", "warehouse": f"file://{project}/lake"}
    with closing(SqlCatalog("default", **where)) as catalog:
        if not catalog.table_exists("n.orders"):
            return []
        return sorted(tuple(r.values()) for r in catalog.load_table("n.orders").scan().to_arrow().to_pylist())


SINKS = [
    ("sqlite", {"path": "out.sqlite", "table": "orders"}, in_sqlite),
    ("duckdb", {"path": "out.duckdb", "table": "orders"}, in_duckdb),
    ("file", {"path": "out/"}, in_files),
]


@pytest.mark.parametrize("mode", [{"mode": "append"}, {"mode": "merge", "key": ["id"]}], ids=["append", "merge"])
@pytest.mark.parametrize(("kind", "written", "look"), SINKS, ids=[kind for kind, _, _ in SINKS])
def test_sinks(kind, written, look, mode, tmp_path):
    testing.publisher_conforms(made("sinks", kind, {**written, **mode}), tmp_path, look, crashes=2)


@pytest.mark.parametrize(
    ("kind", "written", "look"),
    [
        ("delta", {"path": "t", "mode": "merge", "key": ["id"]}, in_delta),
        ("iceberg", {"table": "n.orders", "warehouse": "lake", "mode": "append"}, in_iceberg),
    ],
    ids=["delta", "iceberg"],
)
def test_sinks_of_lakes(kind, written, look, tmp_path):
    testing.publisher_conforms(made("sinks", kind, written), tmp_path, look, crashes=1)


def test_a_target_in_memory_is_a_sink_too(tmp_path):
    sink = testing.MemoryPublisher(name="orders")
    testing.publisher_conforms(sink, tmp_path, sink.rows, crashes=2)


class Forgetful(testing.MemoryPublisher):
    """Has fences, and does not look at them when it publishes."""

    def publish(self, project, staged, checkpoint):
        return super().publish(project, staged, replace(checkpoint, fence=None))


def test_a_sink_whose_fences_do_not_hold_is_found_out(tmp_path):
    sink = Forgetful(name="forgetful")
    with pytest.raises(AssertionError, match="a lower token was let in before there was a target"):
        testing.publisher_conforms(sink, tmp_path, sink.rows, crashes=0)


def test_plugins_run_as_a_pipeline(tmp_path):
    sink = testing.MemoryPublisher()
    run = testing.run_plugins(
        tmp_path,
        {"orders": ORDERS},
        steps=[made("steps", "filter", "price > 5")],
        checks=[made("checks", "row_count", {"min": 1})],
        sinks=[sink],
    )
    assert run.state == "succeeded"
    assert [row["id"] for row in sink.rows(tmp_path)] == [1]
