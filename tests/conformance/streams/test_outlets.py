"""Every sink keeps the laws of those that take the output of a stream: in its own way where it has one, else by publications.

Longer series, in which processes die a hundred times, are in `bench/faults/outlets.py`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.conformance.streams.targets import embedded, in_mysql, in_postgres
from tests.integration.mysql_server import MySQLServer
from tests.integration.postgres_server import PostgresServer


@pytest.mark.parametrize(
    ("kind", "mode", "deaths"),
    [
        ("duckdb", "append", 0), ("duckdb", "merge", 1), ("sqlite", "append", 1), ("sqlite", "merge", 0), ("file", "append", 1),
        ("file", "merge", 0), ("delta", "append", 0), ("delta", "merge", 0), ("iceberg", "append", 0),
    ],
)  # fmt: skip
def test_what_lies_on_this_machine_conforms(kind: str, mode: str, deaths: int, tmp_path: Path):
    embedded(kind, mode).prove(tmp_path, crashes=deaths, kills=deaths)


@pytest.mark.parametrize(("mode", "crashes"), [("append", 0), ("merge", 2)])
def test_postgres_conforms(mode: str, crashes: int, postgres: str, tmp_path: Path):
    in_postgres(postgres, mode).prove(tmp_path, crashes=crashes, kills=1)


@pytest.mark.parametrize(("mode", "deaths"), [("append", 0), ("merge", 1)])
def test_mysql_conforms(mode: str, deaths: int, mysql_server: MySQLServer, mysql: str, tmp_path: Path):
    in_mysql(mysql_server, mysql, mode).prove(tmp_path, crashes=deaths, kills=deaths)


def test_a_server_that_is_stopped_at_once_and_started_again_has_every_epoch_once(tmp_path: Path):
    server = PostgresServer()

    def restart() -> None:
        server.crash()
        server.resume()

    try:
        server.start()
        replace(in_postgres(server.url(), "merge"), cut=restart).prove(tmp_path, crashes=0, kills=0)
    finally:
        server.remove()
