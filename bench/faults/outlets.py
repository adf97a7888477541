"""Sinks and stores of streams under processes that die: at each of so many places in their code, and killed at so many moments. After every
death the rows have to be those of the epochs that count, and the state that of the last epoch.

python -m bench.faults.outlets [--deaths 50] [--kills 50] [--seed 1] [--only postgres,duckdb]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import redis
from bench.measure import keep, table
from tests.conformance.streams import openers
from tests.conformance.streams.targets import embedded, in_mysql, in_postgres
from tests.integration.mysql_server import MySQLServer
from tests.integration.postgres_server import PostgresServer
from tests.integration.valkey_server import ValkeyServer

from headrace import testing


def proved(name: str, prove: Callable[[Path], None], deaths: int, kills: int) -> list[str]:
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        prove(Path(folder))
    row = [name, str(deaths), str(kills), "0", f"{time.monotonic() - begun:.0f} s"]
    print(*row, flush=True)
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--deaths", type=int, default=50, help="in the code of sinks")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="postgres,mysql,duckdb,sqlite,file,delta,iceberg,state")
    chosen = parser.parse_args()
    wanted, deaths, kills, seed = set(chosen.only.split(",")), chosen.deaths, chosen.kills, chosen.seed
    rows = []
    for kind in sorted(wanted & {"duckdb", "sqlite", "file", "delta", "iceberg"}):
        for mode in ("append", "merge"):
            prove = partial(embedded(kind, mode).prove, crashes=deaths, kills=kills, seed=seed)
            rows.append(proved(f"{kind}, {mode}", prove, deaths, kills))
    if wanted & {"postgres", "state"}:
        with PostgresServer.running() as server:
            for mode in ("append", "merge") if "postgres" in wanted else ():
                prove = partial(in_postgres(server.new_database(), mode).prove, crashes=deaths, kills=kills, seed=seed)
                rows.append(proved(f"postgres, {mode}", prove, deaths, kills))
            if "state" in wanted:
                rows += about_state(server.new_database(), kills, seed)
    if "mysql" in wanted:
        with MySQLServer.running() as maria:
            for mode in ("append", "merge"):
                prove = partial(in_mysql(maria, maria.new_database(), mode).prove, crashes=deaths, kills=kills, seed=seed)
                rows.append(proved(f"mysql, {mode}", prove, deaths, kills))
    header = ["sink or store", "died at places in the code", "killed at moments", "wrong", "took"]
    keep("outlets-under-kills", {row[0]: dict(zip(header[1:], row[1:], strict=True)) for row in rows}, table(header, rows))


def about_state(postgres: str, kills: int, seed: int) -> list[list[str]]:
    valkey = ValkeyServer().start()
    try:
        with redis.Redis.from_url(valkey.url) as server:
            server.config_set("appendfsync", "always")
        rows = []
        for name in ("folder", "postgres", "redis"):

            def prove(folder: Path, name: str = name) -> None:
                opened = {
                    "folder": partial(openers.in_folder, folder / "state"),
                    "postgres": partial(openers.in_postgres, postgres),
                    "redis": partial(openers.in_redis, valkey.url),
                }[name]
                testing.state_store_conforms(opened, folder / "kit", seed=seed, steps=400, kills=kills)

            rows.append(proved(f"state in {name}", prove, 0, kills))
        return rows
    finally:
        valkey.remove()


if __name__ == "__main__":
    main()
