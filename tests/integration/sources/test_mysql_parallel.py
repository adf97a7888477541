"""A table of MariaDB that is read over several connections: every row once, all of one moment, whoever writes meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pymysql
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.integration.mysql_server import MySQLServer

from headrace.errors import NonRetryableError, RetryableError
from headrace.infrastructure.connectors import mysql_parallel
from headrace.infrastructure.connectors.mysql_parallel import key_ranges
from headrace.infrastructure.connectors.mysql_source import MySQLSource

Do = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture
def do(mysql_server: MySQLServer, mysql: str) -> Do:
    return lambda statement, **more: mysql_server.ask(statement, database=mysql.rpartition("/")[2], **more)


@pytest.fixture
def table(mysql: str, do: Do) -> str:
    """The address of a database whose table `t` has 12,000 rows, with gaps between their keys."""
    do("CREATE TABLE t (id int PRIMARY KEY, v varchar(500) NOT NULL)")
    do("INSERT INTO t SELECT seq, repeat('x', 500) FROM seq_1_to_12000 WHERE seq NOT BETWEEN 4000 AND 6000")
    return mysql


def ids(batches: Any, column: str = "id") -> list[int]:
    return sorted(i for batch in batches for i in batch.column(column).to_pylist())


def source(url: str, parallel: int = 4, table: str = "t") -> MySQLSource:
    return MySQLSource(url=url, table=table, parallel=parallel)


def no_reader_is_left() -> bool:
    return not [t for t in threading.enumerate() if t.name.startswith("headrace-read")]


def test_every_row_comes_once(table: str, tmp_path: Path):
    scan = source(table).scan(tmp_path)
    wanted = [i for i in range(1, 12001) if not 4000 <= i <= 6000]
    assert ids(scan.open()) == wanted
    assert ids(scan.by_cursor("id", "11990").open()) == wanted[-11:]


@pytest.mark.parametrize(
    ("kind", "keys"),
    [
        ("bigint", [-(2**63), -1, 0, 1, 2**63 - 1]),
        ("bigint unsigned", [0, 2**63, 2**64 - 1]),
        ("tinyint", [-128, 127]),
        ("int", [7]),
        ("int", []),
    ],
)
def test_keys_may_lie_anywhere(mysql: str, do: Do, tmp_path: Path, kind: str, keys: list[int]):
    do(f"CREATE TABLE t (`a``b` {kind}, n int, PRIMARY KEY (`a``b`, n))")
    for key in keys:
        do(f"INSERT INTO t VALUES ({key}, 1), ({key}, 2)")
    assert ids(source(mysql).scan(tmp_path).open(), "a`b") == sorted([*keys, *keys])


def test_all_rows_are_of_one_moment_while_others_write(table: str, do: Do, tmp_path: Path):
    """Each transaction of the writer takes one row away at one end and puts one in at the other, so any mixture would be seen."""
    stopping = threading.Event()

    def write() -> None:
        with pymysql.connect(**at(table)) as con, con.cursor() as cursor:
            for n in range(1, 4000):
                if stopping.is_set():
                    return
                cursor.execute(f"DELETE FROM t WHERE id = {n}")
                cursor.execute(f"INSERT INTO t VALUES ({20_000 + n}, 'new')")
                con.commit()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(3):
            found = ids(source(table, 3).scan(tmp_path).open())
            assert len(found) == len(set(found)) == 9999
            moved = sum(i > 20_000 for i in found)
            assert found[0] == moved + 1
    finally:
        stopping.set()
        writer.join()
    assert do("SELECT count(*) FROM t") == [(9999,)]


def at(url: str) -> dict[str, Any]:
    server, _, database = url.removeprefix("mysql://root@").partition("/")
    host, _, port = server.partition(":")
    return {"host": host, "port": int(port), "user": "root", "database": database}


def test_who_writes_for_long_is_waited_for_and_then_left_alone(table: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(mysql_parallel, "_SECONDS", 1)
    scan = source(table).scan(tmp_path)
    with pymysql.connect(**at(table)) as writing, writing.cursor() as cursor:
        cursor.execute("DELETE FROM t WHERE id = 1")
        with pytest.raises(RetryableError, match=r"mysql \(t\): somebody has been writing to it for longer than 1 sec"):
            list(scan.open())
        writing.rollback()
        assert len(ids(scan.open())) == 9999
        cursor.execute("DELETE FROM t WHERE id = 1")  # no lock is left
        writing.commit()


def test_leaving_early_ends_every_reader(table: str, tmp_path: Path):
    batches: Iterator[Any] = source(table).scan(tmp_path).open()
    next(batches)
    batches.close()  # type: ignore[attr-defined]
    assert no_reader_is_left()


def test_the_error_of_one_reader_is_that_of_all(table: str, do: Do, tmp_path: Path):
    do("ALTER TABLE t ADD d date")
    do("UPDATE t SET d = '0000-00-00' WHERE id = 11999", sql_mode="")
    with pytest.raises(NonRetryableError, match="0000-00-00"):
        list(source(table).scan(tmp_path).open())
    assert no_reader_is_left()


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ("CREATE VIEW s AS SELECT * FROM t", "`s` is a view"),
        ("CREATE TABLE s (id int PRIMARY KEY) ENGINE = MyISAM", "`s` is kept by MyISAM, which knows no snapshots"),
        ("CREATE TABLE s (id int)", "primary key of whole numbers, and it is missing"),
        ("CREATE TABLE s (id varchar(9) PRIMARY KEY)", "and it begins with `id`, which is varchar"),
    ],
)
def test_what_cannot_be_parted_is_refused_while_planning(table: str, do: Do, tmp_path: Path, made: str, said: str):
    do(made)
    with pytest.raises(NonRetryableError, match=said):
        source(table, table="s").scan(tmp_path)


def test_a_query_has_no_key():
    with pytest.raises(ValidationError, match="`parallel` parts a table"):
        MySQLSource(url="mysql://root@h/d", query="SELECT 1 AS id", parallel=2)


def test_who_may_not_lock_is_told(table: str, do: Do, tmp_path: Path):
    database = table.rpartition("/")[2]
    do(f"CREATE USER reader_{database[-8:]}")
    do(f"GRANT SELECT ON {database}.* TO reader_{database[-8:]}")
    url = table.replace("root@", f"reader_{database[-8:]}@")
    with pytest.raises(NonRetryableError) as caught:
        list(source(url).scan(tmp_path).open())
    assert "LOCK TABLES" in str(caught.value)


@given(st.lists(st.integers(-(2**63), 2**64 - 1), min_size=1, max_size=20), st.integers(1, 64))
def test_ranges_part_all_keys_without_gap_or_overlap(keys: list[int], connections: int):
    """Also keys beyond those that were the lowest and the highest."""
    ranges = key_ranges("k", (min(keys), max(keys)), connections)
    for key in [*keys, min(keys) - 1, max(keys) + 1]:
        held = [r for r in ranges if r == "true" or all(_holds(part, key) for part in r.split(" AND "))]
        assert len(held) == 1


def _holds(condition: str, key: int) -> bool:
    _, sign, bound = condition.split(" ")
    return key >= int(bound) if sign == ">=" else key < int(bound)
