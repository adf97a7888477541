"""The source `odbc` when servers die under it, or do not answer: it may be tried again, nothing is lost, and nobody waits who should stop."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Callable

import psycopg
import pymysql
import pytest
from tests.integration.mysql_server import MySQLServer
from tests.integration.odbc_databases import MARIADB, Database, connection, database, rows
from tests.integration.postgres_server import PostgresServer

from headrace.business.connections import Profile
from headrace.errors import HeadraceError, RetryableError
from headrace.infrastructure.connectors.odbc.source import OdbcSource


def test_a_server_of_postgresql_that_dies_in_the_middle_loses_nothing(tmp_path):
    with PostgresServer.running() as server:
        there = Database("postgres", server.url(), lambda statement: None)
        make = "CREATE TABLE t AS SELECT g AS id, repeat('x', 2000) AS v FROM generate_series(1, 60000) g"
        with psycopg.connect(server.url(), autocommit=True) as admin:
            admin.execute(make)
        source = there.source(table="t")
        reading = source.read(tmp_path, "all", None)
        first = next(reading)
        server.crash()
        with pytest.raises(RetryableError, match="connection"):
            list(reading)
        with pytest.raises(RetryableError, match="Connection refused"):
            source.scan(tmp_path)
        server.resume()
        again = [row["id"] for batch in source.read(tmp_path, "all", first.position) for row in batch.rows.to_pylist()]
        assert len({*again, *first.rows.column("id").to_pylist()}) == 60_000


def test_a_server_of_mariadb_that_dies_in_the_middle_can_be_asked_again(tmp_path):
    with MySQLServer.running() as server:
        source = OdbcSource(
            connection=Profile("db", connection(MARIADB, server.port, "mysql", "root")), query="SELECT SLEEP(100) AS v"
        )
        said: list[BaseException] = []

        def read() -> None:
            try:
                rows(source)
            except HeadraceError as error:
                said.append(error)

        reading = threading.Thread(target=read)
        reading.start()
        _until(lambda: any("SLEEP" in str(row[7]) and row[5] != "0" for row in _processes(server)))
        server.kill()
        reading.join(timeout=60)
        assert isinstance(said[0], RetryableError)
        with pytest.raises(RetryableError, match="Can't connect"):
            source.scan(tmp_path)


def _processes(server: MySQLServer) -> list[tuple[object, ...]]:
    with pymysql.connect(unix_socket=f"{server.folder}/socket", user="root") as con, con.cursor() as cursor:
        cursor.execute(
            "SELECT * FROM information_schema.processlist WHERE info LIKE 'SELECT %SLEEP(100)%' AND info NOT LIKE '%processlist%'"
        )
        return list(cursor.fetchall())


def _until(there: Callable[[], bool]) -> None:
    waited = threading.Event()
    for _ in range(6000):
        if there():
            return
        waited.wait(0.01)
    raise AssertionError("it did not come about")


def test_whoever_waits_for_the_database_hears_that_it_should_stop(request, tmp_path):
    in_postgres = database("postgres", request)
    (tmp_path / "headrace.toml").write_text(in_postgres.profile())
    (tmp_path / "pipeline.yaml").write_text(
        "version: 1\npipeline: p\nsources:\n  t:\n    odbc: {connection: db, query: SELECT pg_sleep(1000)::text AS v}\n"
        "sinks:\n  - file: out.csv\n"
    )
    run = subprocess.Popen(
        [sys.executable, "-m", "headrace", "run", str(tmp_path / "pipeline.yaml")], stderr=subprocess.PIPE, text=True
    )
    with psycopg.connect(in_postgres.url, autocommit=True) as admin:
        busy = "SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND state = 'active' AND datname = current_database()"
        _until(lambda: admin.execute(busy).fetchone() is not None)
    run.send_signal(signal.SIGINT)
    assert "interrupted" in run.communicate(timeout=60)[1]
    assert run.returncode == 1
