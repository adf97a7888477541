"""What a checkpoint costs at its sink: milliseconds and processor time of one commit, by the number of rows that changed, for every kind of
sink that is here; and the stores of state, by what an epoch holds.

    python bench/outlets.py [--only postgres,duckdb] [--state]

Windows are counted: text and time as the key, a count, a sum and an average. In mode merge every row is there already and changes. PostgreSQL
syncs each commit, as it does for users. `by hand` is what PostgreSQL needs for the same statements with rows that are printed already.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from measure import BENCH, table

sys.path.insert(0, str(BENCH.parent))

import psycopg
import pyarrow as pa
from tests.integration.mysql_server import MySQLServer
from tests.integration.postgres_server import PostgresServer
from tests.integration.valkey_server import ValkeyServer

from headrace.business.connections import Profile
from headrace.business.model.schema import Column, Schema
from headrace.business.model.types import Float, Integer, String, Timestamp
from headrace.business.ports import Fence
from headrace.business.streams.state import Saved
from headrace.infrastructure.catalog import Catalog
from headrace.infrastructure.connectors.postgres_connection import PostgresConnection
from headrace.infrastructure.connectors.publication_outlet import outlet_of
from headrace.infrastructure.connectors.streams.stream_table import NAME
from headrace.infrastructure.postgresql import binary_copy
from headrace.infrastructure.redis.connection import RedisConnection
from headrace.infrastructure.storage.state_stores import state_store
from postgres_engine import spent

SCHEMA = Schema(
    (
        Column("key", String(), nullable=False),
        Column("window_start", Timestamp(zone=True), nullable=False),
        Column("events", Integer(64)),
        Column("total", Float(64)),
        Column("mean", Float(64)),
    )
)
KEY = ("key", "window_start")
#: Commits by how many rows.
PLAN = {0: 40, 1: 40, 1_000: 40, 100_000: 3}
#: Those that take epochs as publications are asked less often.
PUBLISHED = {0: 5, 1: 5, 1_000: 5, 100_000: 2}
BEGIN = datetime(2024, 1, 1, tzinfo=UTC)


def rows_of(count: int, turn: int) -> pa.Table:
    numbers = range(count)
    return pa.table(
        {
            "key": pa.array([f"key-{i % 1_000}" for i in numbers], pa.string()),
            "window_start": pa.array(
                [BEGIN + timedelta(seconds=10 * (i // 1_000)) for i in numbers], pa.timestamp("us", "UTC")
            ),
            "events": pa.array([i + turn for i in numbers], pa.int64()),
            "total": pa.array([i * 1.37 + turn for i in numbers], pa.float64()),
            "mean": pa.array([i / 7 + turn for i in numbers], pa.float64()),
        }
    )


def timed(acts: Iterator[Callable[[], Any]], cpu: Callable[[], float]) -> tuple[float, float, float]:
    """Median and worst milliseconds of the acts, and milliseconds of processor time for each."""
    taken, begun = [], cpu()
    for act in acts:
        started = time.perf_counter()
        act()
        taken.append((time.perf_counter() - started) * 1000)
    return median(taken), max(taken), (cpu() - begun) * 1000 / len(taken)


def mine() -> float:
    now = os.times()
    return now.user + now.system


def with_server(server: MySQLServer) -> float:
    number = next((server.folder / "data").glob("*.pid")).read_text().strip()
    used = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[11:13]
    return mine() + sum(map(int, used)) / os.sysconf("SC_CLK_TCK")


def commits(
    sink: Any, project: Path, plan: dict[int, int], cpu: Callable[[], float]
) -> Iterator[tuple[int, float, float, float]]:
    outlet = outlet_of(sink, project, "bench", SCHEMA)
    epoch = outlet.committed(Fence("bench", 1))
    for count, times in plan.items():
        outlet.commit(epoch := epoch + 1, rows_of(count, -1))  # in mode merge these are there afterwards
        made = [rows_of(count, turn) for turn in range(times)]
        acts = (partial(outlet.commit, epoch + i, rows) for i, rows in enumerate(made, 1))
        yield count, *timed(acts, cpu)
        epoch += times
    outlet.close()


def by_hand(url: str, cpu: Callable[[], float]) -> Iterator[tuple[int, float, float, float]]:
    with closing(psycopg.connect(url, autocommit=True)) as db:
        db.execute(
            f"CREATE TABLE hand AS SELECT * FROM windows_merge WITH NO DATA; CREATE UNIQUE INDEX ON hand ({', '.join(KEY)})"
        )
        db.execute(
            "CREATE TEMP TABLE coming (LIKE hand) ON COMMIT DELETE ROWS; CREATE TABLE hands (epoch bigint); INSERT INTO hands VALUES (0)"
        )

        def commit(pieces: list[bytes]) -> None:
            db.execute("BEGIN; UPDATE hands SET epoch = epoch + 1")
            with db.cursor().copy("COPY coming FROM STDIN (FORMAT binary)") as copy:
                for piece in pieces:
                    copy.write(piece)
            db.execute(
                "INSERT INTO hand SELECT * FROM coming ON CONFLICT (key, window_start) DO UPDATE SET "
                "(events, total, mean) = (excluded.events, excluded.total, excluded.mean)", prepare=True,
            )  # fmt: skip
            db.execute("COMMIT")

        for count, times in PLAN.items():
            commit(list(binary_copy.printed(rows_of(count, -1).to_batches(), SCHEMA)))
            made = [list(binary_copy.printed(rows_of(count, turn).to_batches(), SCHEMA)) for turn in range(times)]
            yield count, *timed((partial(commit, pieces) for pieces in made), cpu)


def sinks(opened: ExitStack, folder: Path, wanted: set[str]) -> Iterator[tuple[str, str, dict[str, Any], Callable[[], float]]]:
    """The kinds with a mode and where they write."""
    places: dict[str, tuple[dict[str, Any], Callable[[], float]]] = {}
    if "postgres" in wanted:
        server = opened.enter_context(postgres())
        places["postgres"] = {"url": server.url(), "table": "windows_"}, lambda: spent(server)
    if "mysql" in wanted:
        maria = opened.enter_context(MySQLServer.running())
        places["mysql"] = {"url": maria.new_database(), "table": "windows_"}, partial(with_server, maria)
    places |= {
        "duckdb": ({"path": str(folder / "d.duckdb"), "table": "windows_"}, mine),
        "sqlite": ({"path": str(folder / "s.sqlite"), "table": "windows_"}, mine),
        "file": ({"path": f"{folder}/files_"}, mine),
        "delta": ({"path": f"{folder}/delta_"}, mine),
    }
    for kind, (place, cpu) in places.items():
        for mode in ("append", "merge") if kind in wanted else ():
            last = "table" if "table" in place else "path"
            yield (
                kind,
                mode,
                {**place, last: f"{place[last]}{mode}", "mode": mode, **({"key": KEY} if mode == "merge" else {})},
                cpu,
            )


@contextmanager
def postgres() -> Iterator[PostgresServer]:
    server = PostgresServer(fsync=True)
    try:
        yield server.start()
    finally:
        server.remove()


def about_sinks(wanted: set[str]) -> None:
    lines = []
    with ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="headrace-bench-")))
        for kind, mode, options, cpu in sinks(opened, folder, wanted):
            sink = Catalog().sink(kind).model_validate(options)
            plan = PUBLISHED if kind in ("file", "delta") else PLAN
            for count, middle, worst, used in commits(sink, folder, plan, cpu):
                lines.append((kind, mode, f"{count:,}", f"{middle:.1f}", f"{worst:.1f}", f"{used:.1f}"))
            if kind == "postgres" and mode == "merge":
                for count, middle, worst, used in by_hand(options["url"], cpu):
                    lines.append((kind, "by hand", f"{count:,}", f"{middle:.1f}", f"{worst:.1f}", f"{used:.1f}"))
    print(table(("sink", "mode", "rows", "ms, median", "ms, worst", "CPU ms"), lines))
    print(f"\nCPU of the servers counts. The number of the epoch lies in `{NAME}` beside the table, or in the ledger.")


def about_state() -> None:
    lines = []
    with ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="headrace-bench-")))
        server = opened.enter_context(postgres())
        valkey = ValkeyServer().start()
        opened.callback(valkey.remove)
        profiles = {
            "folder": None,
            "postgres": Profile("p", PostgresConnection.model_validate({"url": server.url()})),
            "redis": Profile("r", RedisConnection.model_validate({"url": valkey.url})),
        }
        for name, profile in profiles.items():
            if name == "redis":
                opened.enter_context(closing(profile.connection.client(Path()))).config_set("appendfsync", "always")
            store = state_store("bench", profile, folder)
            store.open(Fence("bench", 1))
            for size, times in ((1_000, 40), (100_000, 40), (50_000_000, 3)):
                made = [Saved(n, {"position": n}, {"state": os.urandom(size)}, True) for n in range(1, times + 1)]
                saved = timed((partial(store.save, one) for one in made), mine)
                loaded = timed((partial(store.load, times) for _ in range(3)), mine)
                lines.append((name, f"{size:,}", f"{saved[0]:.1f}", f"{saved[1]:.1f}", f"{saved[2]:.1f}", f"{loaded[0]:.1f}"))
            store.close()
    print(table(("state in", "bytes", "save ms, median", "worst", "CPU ms", "load ms"), lines))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--only", default="postgres,mysql,duckdb,sqlite,file,delta", help="which sinks")
    options.add_argument("--state", action="store_true", help="the stores of state instead")
    chosen = options.parse_args()
    if shutil.disk_usage(tempfile.gettempdir()).free < 2 << 30:
        raise SystemExit("there is too little room for temporary files")
    about_state() if chosen.state else about_sinks(set(chosen.only.split(",")))


if __name__ == "__main__":
    main()
