"""Loading PostgreSQL: Headrace's sink against `COPY` of a ready-made CSV file of the same rows, in turn, on a server of its own.

    python bench/postgres_load.py [--rows 1000000] [--rounds 3]

Times are what a user waits: from staged Parquet, or from the finished CSV, to committed rows.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import entry_points
from pathlib import Path
from statistics import median

from measure import BENCH, DATA, keep, table

sys.path.insert(0, str(BENCH.parent / "tests" / "integration"))

import duckdb
import psycopg
from postgres_server import PostgresServer

from headrace.business.model.schema import Column, Schema
from headrace.business.model.types import Date, Decimal, Integer, String
from headrace.business.ports import Checkpoint, Staged

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


def prepare(rows: int, folder: Path) -> tuple[Path, Path]:
    """The same rows as Parquet and as CSV."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    source = DATA / "out" / "hand-sql" / "good.parquet"
    if not source.exists():
        raise SystemExit("first run: python bench/run.py --only hand-sql --rounds 1")
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


def empty(url: str) -> None:
    """Every round starts without tables; a ledger that remembered the last one would find nothing to do."""
    with psycopg.connect(url) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")


def check(url: str, rows: int) -> None:
    with psycopg.connect(url) as connection:
        found = [
            connection.execute(f"SELECT count(*), sum(l_extendedprice), sum(length(l_comment)) FROM {name}").fetchone()
            for name in ("by_copy", "by_headrace")
        ]
    if found[0] != found[1] or found[0][0] != rows:
        raise SystemExit(f"the two tables differ: {found}")


def seconds(work: Callable[[], None]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    parquet, csv = prepare(options.rows, (DATA / "postgres").absolute())
    server = PostgresServer().start()
    try:
        times: dict[str, list[float]] = {"copy": [], "headrace": []}
        for _ in range(options.rounds):
            empty(server.url())
            times["copy"].append(seconds(lambda: by_copy(server.url(), csv)))
            times["headrace"].append(seconds(lambda: by_headrace(server.url(), parquet, options.rows)))
            check(server.url(), options.rows)
    finally:
        server.stop()
    copy, ours = (options.rows / median(times[name]) for name in ("copy", "headrace"))
    lines = [
        ["`COPY` of a ready-made CSV file", f"{copy:,.0f}", "1.00"],
        ["**Headrace**, staged Parquet to published table", f"{ours:,.0f}", f"{ours / copy:.2f}"],
    ]
    keep("postgres-load", {"rows": options.rows, "seconds": times}, table(["", "rows/s", "times COPY"], lines))


if __name__ == "__main__":
    main()
