"""Every sink keeps the laws of those that take the output of a stream: in its own way where it has one, else by publications."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing, suppress
from functools import partial
from pathlib import Path

import duckdb
import psycopg
import pymysql
import pytest
from deltalake import DeltaTable
from pyiceberg.catalog.sql import SqlCatalog
from tests.conformance.streams.openers import in_a_copy_of_the_database, in_a_copy_of_the_tables, sink
from tests.integration.mysql_server import MySQLServer

from headrace import testing

Rows = Iterable[tuple[int, str]]
_QUERY = "SELECT id, name FROM kit"


def in_duckdb(project: Path) -> Rows:
    if not (project / "kit.duckdb").exists():
        return ()
    with duckdb.connect(str(project / "kit.duckdb"), read_only=True) as db:
        return db.execute(_QUERY).fetchall()


def in_sqlite(project: Path) -> Rows:
    if not (project / "kit.sqlite").exists():
        return ()
    with closing(sqlite3.connect(project / "kit.sqlite")) as db:
        return db.execute(_QUERY).fetchall()


def in_files(project: Path) -> Rows:
    if not list(project.glob("kit/*.parquet")):
        return ()
    with duckdb.connect() as db:
        return db.execute(f"SELECT id, name FROM read_parquet('{project}/kit/*.parquet')").fetchall()


def in_delta(project: Path) -> Rows:
    if not DeltaTable.is_deltatable(str(project / "kit")):
        return ()
    return [(row["id"], row["name"]) for row in DeltaTable(project / "kit").to_pyarrow_table().to_pylist()]


def in_iceberg(project: Path) -> Rows:
    lake = project / "lake"
    if not (lake / "catalog.sqlite").exists():
        return ()
    with closing(SqlCatalog("default", uri=f"sqlite:///{lake}/catalog.sqlite", warehouse=f"file://{lake}")) as catalog:
        if not catalog.table_exists("sales.kit"):
            return ()
        return [(row["id"], row["name"]) for row in catalog.load_table("sales.kit").scan().to_arrow().to_pylist()]


EMBEDDED = {
    "duckdb": ({"path": "kit.duckdb", "table": "kit"}, in_duckdb),
    "sqlite": ({"path": "kit.sqlite", "table": "kit"}, in_sqlite),
    "file": ({"path": "kit/"}, in_files),
    "delta": ({"path": "kit"}, in_delta),
    "iceberg": ({"warehouse": "lake", "table": "sales.kit"}, in_iceberg),
}


#: How often a process dies in each. What takes publications dies in the tests of publications as well.
@pytest.mark.parametrize(
    ("kind", "mode", "deaths"),
    [
        ("duckdb", "append", 0), ("duckdb", "merge", 1), ("sqlite", "append", 1), ("sqlite", "merge", 0), ("file", "append", 1),
        ("file", "merge", 0), ("delta", "append", 0), ("delta", "merge", 0), ("iceberg", "append", 0),
    ],
)  # fmt: skip
def test_what_lies_on_this_machine_conforms(kind: str, mode: str, deaths: int, tmp_path: Path):
    options, look = EMBEDDED[kind]
    make = partial(sink, kind, mode, **options)
    testing.outlet_conforms(make, tmp_path, look, crashes=deaths, kills=deaths)


@pytest.mark.parametrize(("mode", "crashes"), [("append", 0), ("merge", 2)])
def test_postgres_conforms(mode: str, crashes: int, postgres: str, tmp_path: Path):
    def look(_project: Path) -> Rows:
        with psycopg.connect(postgres) as db:
            there = db.execute("SELECT to_regclass('kit') IS NOT NULL").fetchall()[0][0]
            return db.execute(_QUERY).fetchall() if there else ()

    def cut() -> None:
        with psycopg.connect(postgres, autocommit=True) as db:
            db.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )

    make = partial(sink, "postgres", mode, url=postgres, table="kit")
    testing.outlet_conforms(make, tmp_path, look, crashes=crashes, kills=1, rehearse=in_a_copy_of_the_database, cut=cut)


@pytest.mark.parametrize(("mode", "crashes"), [("append", 0), ("merge", 1)])
def test_mysql_conforms(mode: str, crashes: int, mysql_server: MySQLServer, mysql: str, tmp_path: Path):
    name = mysql.rpartition("/")[2]

    def look(_project: Path) -> Rows:
        if not mysql_server.ask(f"SHOW TABLES FROM {name} LIKE 'kit'"):
            return ()
        return [(int(n), str(text)) for n, text in mysql_server.ask(f"SELECT id, name FROM {name}.kit")]

    def cut() -> None:
        for process, database in mysql_server.ask("SELECT id, db FROM information_schema.processlist"):
            if database == name:
                with suppress(pymysql.err.OperationalError):  # it has just ended by itself
                    mysql_server.ask(f"KILL {process}")

    make = partial(sink, "mysql", mode, url=mysql, table="kit")
    testing.outlet_conforms(
        make, tmp_path, look, crashes=crashes, kills=min(1, crashes), rehearse=in_a_copy_of_the_tables, cut=cut
    )
