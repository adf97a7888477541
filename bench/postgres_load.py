"""Loading PostgreSQL: Headrace's sink, and a whole run with ten rules on the way, against `COPY` of a ready-made CSV file of the same
rows, in turn, on a server of its own.

    python bench/postgres_load.py [--rows 1000000] [--rounds 3]

Times are what a user waits: from staged Parquet, or from the finished CSV, to committed rows. On a machine that has other work the
processor time is the figure to compare, of client and server together.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import entry_points
from pathlib import Path
from statistics import median

from measure import BENCH, DATA, HEADRACE, keep, surroundings, table

sys.path.insert(0, str(BENCH.parent / "tests" / "integration"))

import duckdb
import psycopg
from postgres_server import PostgresServer

from headrace.business.model.schema import Column, Schema
from headrace.business.model.types import Date, Decimal, Integer, String
from headrace.business.ports import Checkpoint, Staged
from postgres_engine import spent

SCHEMA = Schema(
    (
        *(Column(name, Integer(64)) for name in ("l_orderkey", "l_partkey", "l_suppkey")),
        Column("l_linenumber", Integer(32)),
        *(Column(name, Decimal(15, 2)) for name in ("l_quantity", "l_extendedprice", "l_discount", "l_tax")),
        *(Column(name, String()) for name in ("l_returnflag", "l_linestatus")),
        *(Column(name, Date()) for name in ("l_shipdate", "l_commitdate", "l_receiptdate")),
        *(Column(name, String()) for name in ("l_shipinstruct", "l_shipmode", "l_comment")),
    )
)
TYPES = {"int64": "bigint", "int32": "integer", "string": "text", "date": "date"}
#: The types of sixteen columns, and ten rules on them.
PIPELINE = """version: 1
pipeline: load
sources:
  lines:
    file: {path: rows.csv, header: false, columns: [%s]}
    contract:
      columns:
        l_orderkey: {type: int64, required: true}
        l_partkey: {type: int64, at_least: 1}
        l_suppkey: {type: int64, at_least: 1}
        l_linenumber: {type: int32, between: [1, 7]}
        l_quantity: {type: 'decimal(15, 2)', between: [1, 50]}
        l_extendedprice: {type: 'decimal(15, 2)', at_least: 0}
        l_discount: {type: 'decimal(15, 2)', between: [0, 1]}
        l_tax: {type: 'decimal(15, 2)'}
        l_returnflag: {type: string, in: [A, N, R]}
        l_linestatus: {type: string, in: [F, O]}
        l_shipdate: {type: date}
        l_commitdate: {type: date}
        l_receiptdate: {type: date}
        l_shipinstruct: {type: string}
        l_shipmode: {type: string}
        l_comment: {type: string}
      rules:
        in_order: l_receiptdate > l_shipdate
sinks:
  - postgres: {url: "%s", table: by_run, mode: append}
"""


def prepare(rows: int, folder: Path) -> tuple[Path, Path]:
    """The same rows as Parquet and as CSV."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    generator = Path(sysconfig.get_path("scripts")) / "tpchgen-cli"
    scale = str(max(rows / 5_900_000, 0.001))  # lines come in orders, so a few more are made than are kept
    subprocess.run(
        [generator, "parquet", "-s", scale, "-T", "lineitem", "--output-dir", folder], check=True, capture_output=True
    )
    source = folder / "lineitem.parquet"
    parquet, csv = folder / "rows.parquet", folder / "rows.csv"
    with duckdb.connect() as engine:
        names = ", ".join(SCHEMA.names)
        engine.execute(f"COPY (SELECT {names} FROM '{source}' LIMIT {rows}) TO '{parquet}' (FORMAT parquet)")
        engine.execute(f"COPY (SELECT * FROM '{parquet}') TO '{csv}' (FORMAT csv, HEADER false)")
    return parquet, csv


def by_copy(url: str, csv: Path) -> None:
    columns = ", ".join(f"{c.name} {TYPES.get(str(c.type), str(c.type))}" for c in SCHEMA)
    with psycopg.connect(url) as connection, csv.open("rb") as text:
        connection.execute(f"CREATE TABLE by_copy ({columns})")
        with connection.cursor().copy("COPY by_copy FROM STDIN (FORMAT csv)") as copy:
            while block := text.read(1 << 20):
                copy.write(block)


def by_headrace(url: str, parquet: Path, rows: int) -> None:
    sink = entry_points(group="headrace.sinks")["postgres"].load()(url=url, table="by_headrace", mode="append")
    staged = Staged((parquet,), SCHEMA, rows, parquet.stat().st_size)
    sink.publish(parquet.parent, staged, Checkpoint("load", "bench", "run", datetime.now(UTC)))


def by_run(project: Path) -> None:
    subprocess.run([HEADRACE, "run", "--quiet", "pipeline.yaml"], cwd=project, env=surroundings(), check=True)


def empty(url: str) -> None:
    """Every round starts without tables; a ledger that remembered the last one would find nothing to do."""
    with psycopg.connect(url) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")


def check(url: str, rows: int) -> None:
    with psycopg.connect(url) as connection:
        found = [
            connection.execute(f"SELECT count(*), sum(l_extendedprice), sum(length(l_comment)) FROM {name}").fetchone()
            for name in ("by_copy", "by_headrace", "by_run")
        ]
    if len(set(found)) > 1 or found[0][0] != rows:
        raise SystemExit(f"the two tables differ: {found}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    folder = (DATA / "postgres").absolute()
    parquet, csv = prepare(options.rows, folder)
    server = PostgresServer().start()
    (folder / "pipeline.yaml").write_text(PIPELINE % (", ".join(SCHEMA.names), server.url()))
    ways: dict[str, Callable[[], None]] = {
        "`COPY` of a ready-made CSV file": lambda: by_copy(server.url(), csv),
        "**Headrace**, staged Parquet to published table": lambda: by_headrace(server.url(), parquet, options.rows),
        "**Headrace**, a whole run: CSV, ten rules, table": lambda: by_run(folder),
    }
    costs: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    try:
        for _ in range(options.rounds):
            empty(server.url())
            for name, way in ways.items():
                before, began = spent(server), time.perf_counter()
                way()
                waited = time.perf_counter() - began
                costs[name].append((waited, spent(server) - before))
            check(server.url(), options.rows)
    finally:
        server.stop()
    wall, cpu = ({name: median(cost[i] for cost in found) for name, found in costs.items()} for i in (0, 1))
    first = next(iter(ways))
    lines = [
        [name, f"{options.rows / wall[name]:,.0f}", f"{wall[first] / wall[name]:.2f}", f"{cpu[name]:.2f}", f"{cpu[first] / cpu[name]:.2f}"]
        for name in ways
    ]  # fmt: skip
    heads = ["", "rows/s", "times COPY", "CPU s", "rows per CPU second, times COPY"]
    keep("postgres-load", {"rows": options.rows, "wall_and_cpu_seconds": costs}, table(heads, lines))


if __name__ == "__main__":
    main()
