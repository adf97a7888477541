"""Loading PostgreSQL: Headrace's sink, and a whole run with ten rules on the way, against `COPY` of a ready-made CSV file of the same
rows, in turn, on a server of its own; and dlt and a Singer tap and target, which judge nothing, on the first of the rows.

    python bench/postgres_load.py [--rows 6000000] [--rounds 3] [--peer-rows 100000] [--only copy,sink,run]

Times are what a user waits: from staged Parquet, or from the finished CSV, to committed rows, start of the program included. On a machine that
has other work the processor time is the figure to compare, of client and server together.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import entry_points
from pathlib import Path
from statistics import median
from typing import Any

from measure import BENCH, DATA, HEADRACE, keep, surroundings, table

sys.path.insert(0, str(BENCH.parent))  # the tests' servers

import duckdb
import psycopg
from tests.integration.postgres_server import PostgresServer

from headrace.business.model.schema import Column, Schema
from headrace.business.model.types import Date, Decimal, Integer, String
from headrace.business.ports import Checkpoint, Staged
from postgres_engine import spent

LOADING = BENCH / "loading"
DLT, SINGER = (DATA / "venvs" / room / "bin" / "python" for room in ("dlt", "singer"))

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


def by_dlt(way: str, url: str, csv: Path) -> None:
    place = csv.parent / "dlt"
    shutil.rmtree(place, ignore_errors=True)
    url = url.replace("postgres@", "postgres:any@")  # it insists on a password, which the server does not ask for
    _peer(DLT, [LOADING / "dlt_load.py", way, url, csv, f"by_dlt_{way}", place], {"RUNTIME__DLTHUB_TELEMETRY": "false"})


def by_singer(url: str, csv: Path) -> None:
    """As quick as this target can be made: rows without metadata, not validated, copied in large batches."""
    options = {
        "sqlalchemy_url": url.replace("postgresql://", "postgresql+psycopg://"), "default_target_schema": "public", "use_copy": True,
        "load_method": "append-only", "batch_size_rows": 100_000, "add_record_metadata": False, "validate_records": False,
        "activate_version": False,
    }  # fmt: skip
    config = csv.parent / "singer.json"
    config.write_text(json.dumps(options))
    tap = subprocess.Popen([SINGER, LOADING / "tap_lines.py", csv, "by_singer"], stdout=subprocess.PIPE)
    _peer(SINGER.with_name("target-postgres"), ["--config", config], stdin=tap.stdout)
    if tap.wait():
        raise SystemExit("the tap failed")


def _peer(program: Path, arguments: Sequence[str | Path], env: Mapping[str, str] | None = None, stdin: Any = None) -> None:
    done = subprocess.run(
        [program, *arguments], stdin=stdin, env={**surroundings(), **(env or {})}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{program.name} failed: {done.stderr[-4000:]}")


def empty(url: str) -> None:
    """Every round starts without tables; a ledger that remembered the last one would find nothing to do."""
    with psycopg.connect(url) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")


def check(url: str, tables: Sequence[str], rows: int) -> None:
    with psycopg.connect(url) as connection:
        found = [
            connection.execute(
                f"SELECT count(*), sum(l_extendedprice::numeric(15, 2)), sum(length(l_comment)) FROM {name}"
            ).fetchone()
            for name in tables
        ]
    if len(set(found)) > 1 or found[0][0] != rows:
        raise SystemExit(f"the tables differ: {dict(zip(tables, found, strict=True))}")


def first_rows(csv: Path, rows: int) -> Path:
    part = csv.with_name("first.csv")
    with duckdb.connect() as engine:
        engine.execute(
            f"COPY (SELECT * FROM read_csv('{csv}', header = false, all_varchar = true) LIMIT {rows}) TO '{part}' (FORMAT csv, HEADER false)"
        )
    return part


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=6_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peer-rows", type=int, default=100_000)
    parser.add_argument("--only", default="copy,sink,run,dlt,records,singer")
    options = parser.parse_args()
    folder = (DATA / "postgres").absolute()
    parquet, csv = prepare(options.rows, folder)
    part = first_rows(csv, options.peer_rows)
    server = PostgresServer().start()
    url = server.url()
    (folder / "pipeline.yaml").write_text(PIPELINE % (", ".join(SCHEMA.names), url))
    ways: dict[str, tuple[str, str, int, Callable[[], None]]] = {
        "copy": ("`COPY` of a ready-made CSV file", "by_copy", options.rows, lambda: by_copy(url, csv)),
        "sink": (
            "**Headrace**, staged Parquet to published table", "by_headrace", options.rows, lambda: by_headrace(url, parquet, options.rows)
        ),
        "run": ("**Headrace**, a whole run: CSV, ten rules, table", "by_run", options.rows, lambda: by_run(folder)),
        "dlt": ("dlt 1.31, Arrow, CSV by `COPY`, no rules", "by_dlt_arrow", options.peer_rows, lambda: by_dlt("arrow", url, part)),
        "records": ("dlt 1.31, records, no rules", "by_dlt_records", options.peer_rows, lambda: by_dlt("records", url, part)),
        "singer": ("Singer, target-postgres 0.8, `COPY`, no rules", "by_singer", options.peer_rows, lambda: by_singer(url, part)),
    }  # fmt: skip
    wanted = options.only.split(",")
    ways = {name: way for name, way in ways.items() if name == "copy" or name in wanted}
    costs: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    try:
        for _ in range(options.rounds):
            empty(url)
            for name, (_, _, _, way) in ways.items():
                before, began = spent(server), time.perf_counter()
                way()
                waited = time.perf_counter() - began
                costs[name].append((waited, spent(server) - before))
            for rows in {way[2] for way in ways.values()}:
                check(url, [table for _, table, count, _ in ways.values() if count == rows], rows)
    finally:
        server.remove()
    lines = []
    for name, (shown, _, rows, _) in ways.items():
        wall, cpu = (rows / median(cost[i] for cost in costs[name]) for i in (0, 1))
        raw_wall, raw_cpu = (options.rows / median(cost[i] for cost in costs["copy"]) for i in (0, 1))
        lines.append([shown, f"{rows:,}", f"{wall:,.0f}", f"{wall / raw_wall:.2f}", f"{cpu:,.0f}", f"{cpu / raw_cpu:.2f}"])
    heads = ["", "rows", "rows/s", "times COPY", "rows per CPU second", "times COPY"]
    keep("postgres-load", {"rows": options.rows, "wall_and_cpu_seconds": costs}, table(heads, lines))


if __name__ == "__main__":
    main()
