"""Reading PostgreSQL and MariaDB into Parquet: by the source of each, and through its driver of ODBC, as whole runs.

    python bench/odbc_read.py [--rows 1000000] [--rounds 3]

CPU seconds of the client are the figures to compare; ratios are of one run.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from measure import BENCH, DATA, HEADRACE, Cost, keep, measure, table

sys.path.insert(0, str(BENCH.parent))  # the tests' servers

import duckdb
import psycopg
from tests.integration.mysql_server import MySQLServer
from tests.integration.odbc_databases import MARIADB, POSTGRES
from tests.integration.postgres_server import PostgresServer

IN_POSTGRES = (
    "CREATE TABLE t AS SELECT g::bigint AS id, (g % 100)::int AS k, (g * 0.5)::float8 AS f, 'name ' || g AS s, "
    "('c' || g % 7)::varchar(10) AS code, (g * 1.25)::numeric(12, 2) AS n, '2024-01-01'::timestamp + g * interval '1 second' AS at, "
    "'2024-01-01'::date + g % 365 AS d FROM generate_series(1, {rows}) g"
)
IN_MARIADB = (
    "CREATE TABLE t AS SELECT seq AS id, cast(seq % 100 AS int) AS k, seq * 0.5e0 AS f, cast(concat('name ', seq) AS char(20)) AS s, "
    "concat('c', seq % 7) AS code, cast(seq * 1.25 AS decimal(12, 2)) AS n, timestamp('2024-01-01') + INTERVAL seq SECOND AS at, "
    "date('2024-01-01') + INTERVAL seq % 365 DAY AS d FROM seq_1_to_{rows}"
)
PROFILES = """
[connections.postgres]
kind = "odbc"
driver = "{postgres_driver}"
user = "postgres"
settings = {{Server = "127.0.0.1", Port = {postgres}, Database = "postgres"}}
[connections.mariadb]
kind = "odbc"
driver = "{mariadb_driver}"
user = "root"
settings = {{Server = "127.0.0.1", Port = {mariadb}, Database = "bench"}}
"""
PIPELINE = """version: 1
pipeline: {name}
sources:
  t: {source}
sinks:
  - file: {{path: {name}/, mode: replace}}
"""


def prepare(postgres: PostgresServer, mariadb: MySQLServer, rows: int, folder: Path) -> dict[str, str]:
    """The same rows in both, and a pipeline for each way to them."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with psycopg.connect(postgres.url(), autocommit=True) as admin:
        admin.execute(IN_POSTGRES.format(rows=rows))
    mariadb.ask("CREATE DATABASE bench")
    mariadb.ask(IN_MARIADB.format(rows=rows), database="bench")
    ports = {"postgres": postgres.port, "mariadb": mariadb.port}
    (folder / "headrace.toml").write_text(PROFILES.format(postgres_driver=POSTGRES, mariadb_driver=MARIADB, **ports))
    ways = {
        "postgres": f'{{postgres: {{url: "{postgres.url()}", table: t}}}}',
        "odbc-postgres": "{odbc: {connection: postgres, table: t}}",
        "odbc-postgres-narrow": "{odbc: {connection: postgres, table: t, longest_value: 1000}}",
        "mysql": f'{{mysql: {{url: "{mariadb.url}bench", table: t}}}}',
        "odbc-mariadb": "{odbc: {connection: mariadb, table: t}}",
    }
    for name, source in ways.items():
        (folder / f"{name}.yaml").write_text(PIPELINE.format(name=name, source=source))
    return {name: "postgres" if "postgres" in name else "mysql" for name in ways}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    folder = (DATA / "odbc-read").absolute()
    with PostgresServer.running() as postgres, MySQLServer.running() as mariadb:
        beside = prepare(postgres, mariadb, options.rows, folder)
        costs: dict[str, list[Cost]] = {name: [] for name in beside}
        for _ in range(options.rounds):
            for name, found in costs.items():
                found.append(measure([HEADRACE, "run", folder / f"{name}.yaml", "--force", "--quiet"]))
        check(folder, list(beside), options.rows)
    middle = {name: Cost.median(found) for name, found in costs.items()}
    lines = [
        [
            name, f"{c.cpu_seconds:.2f}", f"{middle[beside[name]].cpu_seconds / c.cpu_seconds:.2f}",
            f"{options.rows / c.wall_seconds:,.0f}", f"{c.peak_mb:,.0f}",
        ]
        for name, c in middle.items()
    ]  # fmt: skip
    kept = {name: [[c.cpu_seconds, c.wall_seconds] for c in found] for name, found in costs.items()}
    heads = ["database to Parquet", "CPU s", "rows per CPU s, beside its own source", "rows/s", "peak MB"]
    keep("odbc-read", {"rows": options.rows, "costs": kept}, table(heads, lines))


def check(folder: Path, names: list[str], rows: int) -> None:
    with duckdb.connect() as engine:
        for name in names:
            found = engine.execute(f"SELECT count(*), sum(id) FROM '{folder}/{name}/*.parquet'").fetchone()
            if found != (rows, rows * (rows + 1) // 2):
                raise SystemExit(f"{name} holds other rows: {found}")


if __name__ == "__main__":
    main()
