"""What comes of a pipeline inside Snowflake is what comes of it in DuckDB: rows, reasons, cells, balances, checks; and all of it stays
inside where sources and sinks are there."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.integration.snowflake.projects import by_both, project_at
from tests.integration.snowflake_server import SnowflakeServer

from headrace.application.orchestrator import failpoints

ORDERS = """id,amount,rate,day,at,open,note,customer
1,10.50,0.1,2024-01-01,2024-01-01 10:00:00,true,hello,a
2,abc,1e3,2024-01-02,2024-01-02T11:00,yes,"quoted, comma",b
2,3.00,nan,2024-02-30,,no,,a
3,-4.00,inf,2024-01-03,2024-01-03 24:00:00,,"",zz
x,1.00,-0.0,2024-01-04,2024-01-04 10:00:00,TRUE,bad id,a
5,7.25,2024-01-05
6,8.00,1,2024-1-6,2024-01-06 00:00:00,maybe,"a ""quote""\\",b
7,9.99,1_000,,2024-01-07 00:00:00.123456,f,Ünïcödé 🎉,
8,12345678.90,0x1F,0001-01-01,9999-12-31 23:59:59,t,line\\tbreak,c
9,1.999,0.5,9999-12-31,2024-01-01 10:00:00+02:00,0,NA,b
,0.00,5.0,2024-01-08,2024-01-08 10:00:00,1,no id,b
10,1.00,1,2024-01-09,2024-01-09 10:00:00,false,one,too,many,a
11,99,1e400,2024-01-10,,false,,d
12,0.50,1,2024-01-11,2024-01-11 00:00:00,true,dropped,a
13,0.50,9e9,2024-01-12,,,fine,a
"""
CUSTOMERS = "key,name,chief\na,Ann,\nb,Bob,a\nb,Bert,a\nc,,b\nd,Dan,c\n"
CONTRACT: dict[str, Any] = {
    "columns": {
        "id": {"type": "int64", "required": True, "unique": True},
        "amount": {"type": "decimal(10, 2)", "at_least": 0},
        "rate": {"type": "float64", "at_most": 1000000.0, "on_violation": "warn"},
        "day": {"type": "date", "at_least": "1970-01-01"},
        "at": {"type": "timestamp"},
        "open": {"type": "bool"},
        "note": {"type": "string", "nulls": ["NA", ""], "length": {"max": 12}, "matches": "^[^!]*$"},
        "customer": {"type": "string", "in": ["a", "b", "c", "zz"]},
    },
    "rules": {
        "not_dropped": {"expression": "note <> 'dropped'", "on_violation": "drop"},
        "known": {"references": "customers.key", "column": "customer"},
    },
}
PEOPLE: dict[str, Any] = {
    "columns": {"key": {"unique": True}, "name": {"required": True}, "chief": {}},
    "rules": {"chief": {"references": "customers.key", "column": "chief"}},
}
SOURCES: dict[str, Any] = {
    "orders": {"file": {"path": "orders.csv"}, "contract": CONTRACT},
    "customers": {"file": {"path": "customers.csv"}, "contract": PEOPLE},
}


@pytest.fixture(autouse=True)
def _password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SNOWFLAKE_PASSWORD", "secret")


@pytest.fixture
def database(snowflake_server: SnowflakeServer) -> str:
    return snowflake_server.new_database()


def test_every_reason_and_every_cell(tmp_path: Path, snowflake_server: SnowflakeServer, database: str) -> None:
    duck, here = by_both(
        tmp_path, snowflake_server, database, {"orders.csv": ORDERS, "customers.csv": CUSTOMERS}, sources=SOURCES,
        steps=[
            {"derive": {"cents": "cast(amount * 100 as int64)", "half": "amount / 2", "month": "date_trunc('month', day)", "up": "upper(note)"}, "from": "orders"},
        ],
        checks=[
            {"row_count": {"min": 1}}, {"null_share": {"column": "note", "max": 0.9}}, {"mean": {"column": "amount", "at_least": 0}},
            {"sum": {"column": "cents", "at_least": 0}}, {"expression": {"condition": "count(*) > 0"}},
        ],
    )  # fmt: skip
    assert here == duck
    assert duck.balances["orders"] == [15, 2, 12, 1, 0]
    assert len(duck.held) == 12 + duck.balances["customers"][2]
    left = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'HEADRACE_STAGING'"
    assert snowflake_server.ask(database, left) == []


SALES = "\n".join(
    ["region,day,product,amount", *(f"r{i % 3},2024-01-{1 + i % 28:02},p{i % 7},{i * 1.5:.2f}" for i in range(120)), "r1,,p1,"]
)


#: What the function makes of the rows of the window.
DOUBLED = {
    "region": "string", "day": "date", "product": "string", "amount": "decimal(9, 2)", "name": "string", "many": "boolean", "n": "int64",
    "run": "decimal(38, 2)", "twice": "int64",
}  # fmt: skip


def test_steps_that_follow_each_other(tmp_path: Path, snowflake_server: SnowflakeServer, database: str) -> None:
    duck, here = by_both(
        tmp_path, snowflake_server, database, {"sales.csv": SALES, "names.csv": "region,name\nr0,North\nr1,South\n"},
        sources={
            "sales": {"file": {"path": "sales.csv"}, "contract": {"columns": {"amount": "decimal(9, 2)", "day": "date"}}},
            "names": {"file": {"path": "names.csv"}},
        },
        steps=[
            {"name": "clean", "clean": {"trim": "*", "collapse": ["product"], "dedupe": {"key": ["region", "day"], "keep": "last", "order_by": ["product", "amount"]}}, "from": "sales"},
            {"name": "named", "join": {"with": "names", "on": "region", "how": "left"}},
            {"name": "shouted", "derive": {"region": "upper(region)", "many": "amount > 50"}},
            {"name": "kept", "filter": "region <> 'R2' or many"},
            {"name": "window", "window": {"partition_by": "region", "order_by": ["day", "product"], "columns": {"n": "row_number()", "run": "sum(amount)"}}},
            {"name": "python", "python": {"call": "doubled.py:doubled", "schema": DOUBLED}},
            {"name": "total", "aggregate": {"by": ["region", "name"], "measures": {"n": "count(*)", "total": "sum(amount)", "mean": "avg(amount)", "first": "min(day)", "most": "max(run)", "words": "string_agg(product, ',' order by day, product)", "twice": "sum(twice)"}}},
            {"name": "top", "sql": "select *, n * 2 as n2 from total where total > (select avg(total) from total) or region = 'R0' order by region limit 5"},
        ],
        sinks=[
            {"name": "detail", "from": "window", "file": {"path": "out/detail/", "format": "parquet"}},
            {"name": "top", "file": {"path": "out/top/", "format": "parquet"}},
        ],
    ) if _with_python(tmp_path) else (None, None)  # fmt: skip
    assert here == duck
    assert duck is not None
    assert {name for name, rows in duck.rows.items() if rows} == {"detail", "top"}


def _with_python(folder: Path) -> bool:
    """The function of the step stands beside each definition."""
    for engine in ("duckdb", "snowflake"):
        (folder / engine).mkdir()
        (folder / engine / "doubled.py").write_text(
            "import pyarrow.compute as pc\n\n\n"
            "def doubled(table):\n    return table.append_column('twice', pc.cast(pc.multiply(table['n'], 2), 'int64'))\n"
        )
    return True


def test_nothing_leaves_where_all_is_inside(tmp_path: Path, snowflake_server: SnowflakeServer, database: str) -> None:
    """A source and a sink of the engine's database: rows are read where they are, and published by INSERT from what is staged."""
    snowflake_server.ask(
        database,
        "CREATE TABLE raw_orders (id NUMBER(10,0), amount VARCHAR, day DATE, moment TIMESTAMP_NTZ(6), note VARCHAR)",
        "INSERT INTO raw_orders VALUES (1, '10.50', '2024-01-01', '2024-01-01 10:00:00', 'a\\\\b'), (2, 'x', NULL, NULL, NULL), "
        "(3, '7', '0001-01-01', '9999-12-31 23:59:59.999999', '')",
    )
    project = project_at(tmp_path, snowflake_server, database)
    columns = {"id": "int32", "amount": {"type": "decimal(8, 2)", "required": True}, "note": {"type": "string", "nulls": []}}
    parts: dict[str, Any] = {
        "engine": "snowflake",
        "sources": {
            "orders": {"snowflake": {"connection": "warehouse", "table": "raw_orders"}, "contract": {"columns": columns}}
        },
        "steps": [{"derive": {"cents": "cast(amount * 100 as int64)"}}],
        "sinks": [
            {"name": "mart", "snowflake": {"connection": "warehouse", "table": "mart.orders", "mode": "merge", "key": ["id"]}}
        ],
    }
    project.define(**parts)
    run = project.run()
    assert run.sources["orders"]["quarantined"] == 1
    found = snowflake_server.ask(database, 'SELECT "ID", AMOUNT, CENTS, DAY, NOTE FROM mart.orders ORDER BY id')
    assert [(row[0], str(row[1]), row[2], str(row[3]), row[4]) for row in found] == [
        (1, "10.50", 1050, "2024-01-01", "a\\b"),
        (3, "7.00", 700, "0001-01-01", ""),
    ]
    assert not _uploads(snowflake_server, database)
    against = {"against": "mart", "measure": "sum(cents)"}
    checks = [{"name": "after", "reconcile": against}, {"name": "before", "reconcile": {**against, "when": "before"}}]
    again = project.define(**parts, checks=checks).run(force=True)
    assert [(c["check"], c["outcome"]) for c in again.checks] == [("after", "pass"), ("before", "pass")]
    assert [sink["unchanged"] for sink in again.sinks.values()] == [2]


def test_a_failed_check_changes_nothing(tmp_path: Path, snowflake_server: SnowflakeServer, database: str) -> None:
    project = project_at(tmp_path, snowflake_server, database)
    (tmp_path / "rows.csv").write_text("id\n1\n2\n")
    parts: dict[str, Any] = {
        "engine": "snowflake",
        "sources": {"rows": {"file": {"path": "rows.csv"}, "contract": {"columns": {"id": "int64"}}}},
        "sinks": [{"snowflake": {"connection": "warehouse", "table": "kept"}}],
    }
    project.define(**parts)
    project.run()
    (tmp_path / "rows.csv").write_text("id\n3\n")
    project.define(**parts, checks=[{"row_count": {"min": 2}}])
    assert project.cli("run", str(project.file)) == 1
    assert snowflake_server.ask(database, "SELECT id FROM kept ORDER BY id") == [(1,), (2,)]
    assert len(_uploads(snowflake_server, database)) == 2


def test_a_run_that_is_killed_is_brought_to_its_end_by_a_later_one(
    tmp_path: Path, snowflake_server: SnowflakeServer, database: str
) -> None:
    """Behind the commit: it is found there. What the dead one left in the schema goes with its workspace."""
    project = project_at(tmp_path, snowflake_server, database)
    project.data("in.csv", ["id", "v"], [[i if i % 50 else "bad", f"v{i}"] for i in range(200)])
    project.define(
        engine="snowflake",
        sources={"rows": {"file": {"path": "in.csv"}, "contract": {"columns": {"id": {"type": "int64", "unique": True}}}}},
        steps=[{"derive": {"twice": "id * 2"}}],
        sinks=[{"snowflake": {"connection": "warehouse", "table": "target", "mode": "append"}}],
    )
    command = [sys.executable, "-m", "headrace", "run", "--quiet", str(project.file)]
    env = {**os.environ, failpoints.VARIABLE: "sink committed", "HEADRACE_LEASE_SECONDS": "2"}
    died = subprocess.run(command, capture_output=True, check=False, env=env)
    assert died.returncode == -signal.SIGKILL, died.stderr.decode()
    project.run()
    assert snowflake_server.ask(database, "SELECT COUNT(*), SUM(twice) FROM target") == [
        (196, 2 * sum(i for i in range(200) if i % 50))
    ]
    assert project.cli("clean", "--project", str(tmp_path)) == 0
    left = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'HEADRACE_STAGING'"
    assert snowflake_server.ask(database, left) == []


def test_what_a_dead_run_left_is_swept(
    tmp_path: Path, snowflake_server: SnowflakeServer, database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    project = project_at(tmp_path, snowflake_server, database)
    gone, there = tmp_path / "gone", tmp_path / "there"
    there.mkdir()
    made = []
    for i, workspace in enumerate((gone, there)):
        said = json.dumps({"run": workspace.name, "host": _host(), "workspace": str(workspace), "at": 0})
        made.append(f"CREATE TRANSIENT TABLE headrace_staging.\"h{i:012x}_1_staged_x\" COMMENT = '{said}' AS SELECT 1 AS a")
    others = "CREATE TABLE headrace_staging.somebodys AS SELECT 1 AS a"
    snowflake_server.ask(database, "CREATE SCHEMA headrace_staging", *made, others)
    assert project.cli("clean", "--project", str(tmp_path)) == 0
    assert "h000000000000_1_staged_x" in capsys.readouterr().out
    left = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'HEADRACE_STAGING' ORDER BY 1"
    assert snowflake_server.ask(database, left) == [("SOMEBODYS",), ("h000000000001_1_staged_x",)]
    shutil.rmtree(there)


def _host() -> str:
    return os.uname().nodename


def _uploads(server: SnowflakeServer, database: str) -> list[str]:
    """The files that came to a stage of the database."""
    log = (server.folder / "log").read_text().splitlines()
    return [line for line in log if "Uploaded" in line and f"/{database.upper()}/" in line]
