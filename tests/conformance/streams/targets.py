"""Targets of the laws of outlets: how each is made anew in any process, read by a stranger, copied, and cut off."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pymysql
from deltalake import DeltaTable
from pyiceberg.catalog.sql import SqlCatalog
from tests.conformance.streams.openers import in_a_copy_of_the_database, in_a_copy_of_the_tables, sink
from tests.integration.mysql_server import MySQLServer

from headrace import testing

Rows = Iterable[tuple[int, str]]
_QUERY = "SELECT id, name FROM kit"


@dataclass(frozen=True)
class Target:
    """One kind of sink in one mode."""

    make: Callable[[], Any]
    look: Callable[[Path], Rows]
    rehearse: Callable[[Any], Any] | None = None
    cut: Callable[[], None] | None = None

    def prove(self, project: Path, *, crashes: int, kills: int, seed: int = 0) -> None:
        rehearsed = {} if self.rehearse is None else {"rehearse": self.rehearse}
        testing.outlet_conforms(
            self.make, project, self.look, crashes=crashes, kills=kills, seed=seed, cut=self.cut, **rehearsed
        )


def _in_duckdb(project: Path) -> Rows:
    if not (project / "kit.duckdb").exists():
        return ()
    with duckdb.connect(str(project / "kit.duckdb"), read_only=True) as db:
        return db.execute(_QUERY).fetchall()


def _in_sqlite(project: Path) -> Rows:
    if not (project / "kit.sqlite").exists():
        return ()
    with closing(sqlite3.connect(project / "kit.sqlite")) as db:
        return db.execute(_QUERY).fetchall()


def _in_files(project: Path) -> Rows:
    if not list(project.glob("kit/*.parquet")):
        return ()
    with duckdb.connect() as db:
        return db.execute(f"SELECT id, name FROM read_parquet('{project}/kit/*.parquet')").fetchall()


def _in_delta(project: Path) -> Rows:
    if not DeltaTable.is_deltatable(str(project / "kit")):
        return ()
    return [(row["id"], row["name"]) for row in DeltaTable(project / "kit").to_pyarrow_table().to_pylist()]


def _in_iceberg(project: Path) -> Rows:
    lake = project / "lake"
    if not (lake / "catalog.sqlite").exists():
        return ()
    with closing(SqlCatalog("default", uri=f"sqlite:///{lake}/catalog.sqlite", warehouse=f"file://{lake}")) as catalog:
        if not catalog.table_exists("sales.kit"):
            return ()
        return [(row["id"], row["name"]) for row in catalog.load_table("sales.kit").scan().to_arrow().to_pylist()]


_EMBEDDED: dict[str, tuple[dict[str, str], Callable[[Path], Rows]]] = {
    "duckdb": ({"path": "kit.duckdb", "table": "kit"}, _in_duckdb),
    "sqlite": ({"path": "kit.sqlite", "table": "kit"}, _in_sqlite),
    "file": ({"path": "kit/"}, _in_files),
    "delta": ({"path": "kit"}, _in_delta),
    "iceberg": ({"warehouse": "lake", "table": "sales.kit"}, _in_iceberg),
}


def embedded(kind: str, mode: str) -> Target:
    """What lies in the project folder."""
    options, look = _EMBEDDED[kind]
    return Target(partial(sink, kind, mode, **options), look)


def in_postgres(url: str, mode: str) -> Target:
    def look(_project: Path) -> Rows:
        with psycopg.connect(url) as db:
            there = db.execute("SELECT to_regclass('kit') IS NOT NULL").fetchall()[0][0]
            return db.execute(_QUERY).fetchall() if there else ()

    def cut() -> None:
        with psycopg.connect(url, autocommit=True) as db:
            db.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )

    return Target(partial(sink, "postgres", mode, url=url, table="kit"), look, in_a_copy_of_the_database, cut)


def in_mysql(server: MySQLServer, url: str, mode: str) -> Target:
    name = url.rpartition("/")[2]

    def look(_project: Path) -> Rows:
        if not server.ask(f"SHOW TABLES FROM {name} LIKE 'kit'"):
            return ()
        return [(int(n), str(text)) for n, text in server.ask(f"SELECT id, name FROM {name}.kit")]

    def cut() -> None:
        for process, database in server.ask("SELECT id, db FROM information_schema.processlist"):
            if database == name:
                with suppress(pymysql.err.OperationalError):  # it has just ended by itself
                    server.ask(f"KILL {process}")

    return Target(partial(sink, "mysql", mode, url=url, table="kit"), look, in_a_copy_of_the_tables, cut)
