"""Reading PostgreSQL into Parquet: a Headrace pipeline against ConnectorX and ADBC writing the same rows, each as a whole process.

    python bench/postgres_read.py [--rows 1000000] [--rounds 3]

The peers do no more than to read and to write. The pipeline also judges every row by the types of its columns, accounts for it, audits
and publishes with checksums. CPU seconds are the figures to compare; ratios are of one run.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import venv
from pathlib import Path
from statistics import median
from time import sleep

from measure import BENCH, DATA, HEADRACE, PYTHON, Cost, keep, measure, table

sys.path.insert(0, str(BENCH.parent))  # the tests' servers

import duckdb
import psycopg
from tests.integration.postgres_server import PostgresServer

PEER = DATA / "venvs" / "connectorx" / "bin" / "python"

#: All write snappy. `numeric` is text to ADBC and stays so: what it costs to make decimals of it, as ConnectorX and Headrace do, is left out.
CONNECTORX = """
import sys, connectorx, pyarrow.parquet as pq
made = connectorx.read_sql(sys.argv[1], "SELECT * FROM lineitem", return_type="arrow")
pq.write_table(made, sys.argv[2], compression="snappy")
"""
ADBC = """
import sys, pyarrow as pa, pyarrow.parquet as pq
from adbc_driver_postgresql import dbapi
with dbapi.connect(sys.argv[1]) as con, con.cursor() as cursor:
    cursor.execute("SELECT * FROM lineitem")
    reader = cursor.fetch_record_batch()
    plain = lambda kind: kind.storage_type if isinstance(kind, pa.BaseExtensionType) else kind
    schema = pa.schema([pa.field(f.name, plain(f.type)) for f in reader.schema])
    with pq.ParquetWriter(sys.argv[2], schema, compression="snappy") as out:
        for batch in reader:
            arrays = [a.storage if isinstance(a.type, pa.BaseExtensionType) else a for a in batch.columns]
            out.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))
"""
#: What the source gives an engine, written as it comes.
SOURCE = """
import sys, pathlib, pyarrow as pa, pyarrow.parquet as pq
from importlib.metadata import entry_points
source = entry_points(group="headrace.sources")["postgres"].load()(url=sys.argv[1], table="lineitem")
batches = source.scan(pathlib.Path()).open()
first = next(batches)
with pq.ParquetWriter(sys.argv[2], first.schema, compression="snappy") as out:
    out.write_batch(first)
    for batch in batches:
        out.write_batch(batch)
"""
PIPELINE = """version: 1
pipeline: read
sources:
  lineitem:
    postgres: {url: "%s", table: lineitem}
sinks:
  - file: {path: out/, mode: replace}
"""


def prepare(url: str, rows: int, folder: Path) -> None:
    """The table, made of generated rows, and the pipeline that reads it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pipeline.yaml").write_text(PIPELINE % url)
    columns = {
        "l_orderkey": "bigint", "l_linenumber": "integer", "l_quantity": "numeric(15,2)", "l_extendedprice": "numeric(15,2)",
        "l_shipdate": "date", "l_shipmode": "text", "l_comment": "text", "l_weight": "double precision", "l_seen": "timestamptz",
    }  # fmt: skip
    csv = folder / "rows.csv"
    with duckdb.connect() as engine:
        engine.execute(
            f"COPY (SELECT i, i % 7, (i % 5000) / 100, (i * 37 % 10000000) / 100, DATE '1992-01-01' + CAST(i % 2500 AS INTEGER), "
            f"['AIR', 'RAIL', 'SHIP', 'TRUCK'][i % 4 + 1], 'carefully packed ' || md5(CAST(i AS VARCHAR)), i / 7.0, "
            f"TIMESTAMPTZ '2024-01-01 00:00:00+00' + to_seconds(i) FROM range({rows}) t(i)) TO '{csv}' (FORMAT csv, HEADER false)"
        )
    with psycopg.connect(url) as connection, csv.open("rb") as text:
        connection.execute(f"CREATE TABLE lineitem ({', '.join(f'{n} {t}' for n, t in columns.items())})")
        with connection.cursor().copy("COPY lineitem FROM STDIN (FORMAT csv)") as copy:
            while block := text.read(1 << 20):
                copy.write(block)


def peers() -> None:
    """ConnectorX and ADBC in an environment of their own."""
    if not PEER.exists():
        venv.create(PEER.parents[1], with_pip=True)
        subprocess.run([PEER, "-m", "pip", "install", "-q", "-r", BENCH / "requirements-connectorx.txt"], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    peers()
    folder = (DATA / "postgres-read").absolute()
    server = PostgresServer().start()
    try:
        prepare(server.url(), options.rows, folder)
        commands = {
            "ConnectorX": [PEER, "-c", CONNECTORX, server.url(), folder / "connectorx.parquet"],
            "ADBC": [PEER, "-c", ADBC, server.url(), folder / "adbc.parquet"],
            "Headrace's source alone": [PYTHON, "-c", SOURCE, server.url(), folder / "source.parquet"],
            "**Headrace**, a whole run": [HEADRACE, "run", folder / "pipeline.yaml", "--force", "--quiet"],
        }
        costs: dict[str, list[Cost]] = {name: [] for name in commands}
        served: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(options.rounds):
            for name, command in commands.items():
                before = server_seconds(server)
                costs[name].append(measure(command))
                served[name].append(server_seconds(server) - before)
        check(folder, options.rows)
    finally:
        server.remove()
    middle = {name: Cost.median(found) for name, found in costs.items()}
    least = middle["ConnectorX"]
    lines = [
        [
            name, f"{c.cpu_seconds:.2f}", f"{c.cpu_seconds / least.cpu_seconds:.2f}", f"{median(served[name]):.2f}",
            f"{options.rows / c.wall_seconds:,.0f}", f"{c.peak_mb:,.0f}",
        ]
        for name, c in middle.items()
    ]  # fmt: skip
    kept = {name: [[c.cpu_seconds, c.wall_seconds] for c in found] for name, found in costs.items()}
    heads = ["PostgreSQL to Parquet", "CPU s", "times ConnectorX", "server's CPU s", "rows/s", "peak MB"]
    keep("postgres-read", {"rows": options.rows, "costs": kept}, table(heads, lines))


def server_seconds(server: PostgresServer) -> float:
    """The processor time of connections that have ended, as their parent process knows it."""
    sleep(0.3)  # they end a little after their client
    pid = (server.folder / "data" / "postmaster.pid").read_text().split()[0]
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")


def check(folder: Path, rows: int) -> None:
    with duckdb.connect() as engine:
        for files in ("connectorx.parquet", "adbc.parquet", "source.parquet", "out/*.parquet"):
            found = engine.execute(f"SELECT count(*), sum(l_orderkey) FROM '{folder / files}'").fetchone()
            if found != (rows, rows * (rows - 1) // 2):
                raise SystemExit(f"{files} holds other rows: {found}")


if __name__ == "__main__":
    main()
