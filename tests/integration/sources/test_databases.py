"""The sources `sqlite`, `duckdb` and `postgres`: types, values, and what is said when something is not there."""

from __future__ import annotations

import datetime as dt
import decimal
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest
from tests.integration.sources.reading import read

from headrace.errors import NonRetryableError, RetryableError
from headrace.infrastructure.connectors.duckdb_source import DuckDBSource
from headrace.infrastructure.connectors.postgres_source import PostgresSource
from headrace.infrastructure.connectors.sqlite_source import SQLiteSource
from headrace.infrastructure.duckdb_connection import connect
from headrace.infrastructure.engines.duckdb.reading import open_scan


def types(scan: Any) -> list[str]:
    return [str(column.type) for column in scan.schema]


# SQLite -------------------------------------------------------------------------------------------------------------


def sqlite_file(folder: Path, create: str, rows: Sequence[Sequence[Any]] = ()) -> None:
    with closing(sqlite3.connect(folder / "a.db")) as con:
        con.execute(create)
        if rows:
            con.executemany(f"INSERT INTO t VALUES ({', '.join('?' * len(rows[0]))})", rows)
        con.commit()


def test_sqlite_types_come_from_what_the_columns_hold(tmp_path: Path) -> None:
    sqlite_file(
        tmp_path,
        "CREATE TABLE t (i, f, t, b, bool BOOLEAN, mixed, both, big, none INTEGER, plain)",
        [(1, 1.5, "é", b"\0", 1, "x", 1, 2**60, None, None), (-1, 2.5, None, None, 0, 2, 0.5, 0.5, None, None)],
    )
    scan = SQLiteSource(path="a.db", table="t").scan(tmp_path)
    assert types(scan) == ["int64", "float64", "string", "binary", "boolean", "string", "float64", "string", "int64", "string"]
    assert [row[:-1] for row in read(scan).rows] == [
        (1, 1.5, "é", b"\0", True, "x", 1.0, str(2**60), None, None),
        (-1, 2.5, None, None, False, "2", 0.5, "0.5", None, None),
    ]


def test_a_sqlite_column_of_binary_and_text_is_an_error(tmp_path: Path) -> None:
    sqlite_file(tmp_path, "CREATE TABLE t (a)", [("x",), (b"x",)])
    with pytest.raises(NonRetryableError, match=r"`a` .* both binary and other"):
        SQLiteSource(path="a.db", table="t").scan(tmp_path)


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM t RETURNING a",
        "SELECT 1 AS a; DROP TABLE t",
        "ATTACH 'x.db' AS x",
        "SELECT load_extension('x') AS a",
        "PRAGMA user_version = 5",
    ],
)
def test_a_sqlite_query_can_only_select(query: str, tmp_path: Path) -> None:
    sqlite_file(tmp_path, "CREATE TABLE t (a)", [(1,)])
    before = (tmp_path / "a.db").read_bytes()
    with pytest.raises(NonRetryableError):
        read(SQLiteSource(path="a.db", query=query).scan(tmp_path))
    assert (tmp_path / "a.db").read_bytes() == before
    assert not (tmp_path / "x.db").exists()


def test_a_locked_sqlite_file_is_for_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sqlite_file(tmp_path, "CREATE TABLE t (a)", [(1,)])
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *args, **kw: connect(*args, **{**kw, "timeout": 0}))
    with closing(connect(tmp_path / "a.db", isolation_level=None)) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        with pytest.raises(RetryableError, match="locked"):
            SQLiteSource(path="a.db", table="t").scan(tmp_path)


# DuckDB -------------------------------------------------------------------------------------------------------------


def duckdb_file(folder: Path, *statements: str) -> None:
    with duckdb.connect(str(folder / "a.duckdb")) as con:
        for statement in statements:
            con.execute(statement)


def test_duckdb_tables_keep_types_and_order(tmp_path: Path) -> None:
    duckdb_file(
        tmp_path,
        "CREATE SCHEMA sales",
        """CREATE TABLE sales.orders AS SELECT range AS i, 1.10::DECIMAL(10, 2) AS n, {'x': [1]} AS s, 'a'::ENUM ('a', 'b') AS e,
           '00000000-0000-0000-0000-000000000001'::UUID AS u FROM range(5000)""",
    )
    scan = DuckDBSource(path="a.duckdb", table="sales.orders").scan(tmp_path)
    assert types(scan) == ["int64", "decimal(10, 2)", "struct<x: list<int32>>", "string", "string"]
    rows = read(scan).rows
    assert [row[0] for row in rows] == list(range(5000))
    assert rows[0][1:] == (decimal.Decimal("1.10"), {"x": [1]}, "a", "00000000-0000-0000-0000-000000000001", 0)


def test_a_duckdb_file_is_let_go_after_reading(tmp_path: Path) -> None:
    duckdb_file(tmp_path, "CREATE TABLE t AS SELECT 1 AS a")
    scan = DuckDBSource(path="a.duckdb", query="SELECT a + 1 AS b FROM t -- the end").scan(tmp_path)
    with connect() as engine:
        assert read(scan, engine).rows == [(2, 0)]
        duckdb_file(tmp_path, "INSERT INTO t VALUES (2)")


@pytest.mark.parametrize(
    "query",
    ["SELECT * FROM read_text('/etc/hostname')", "SELECT * FROM '/etc/hostname'", "COPY t TO 'x.csv'", "ATTACH 'x.db'", "SELECT 1; SELECT 2", "SET threads = 1", "SELECT nope FROM t"],
)  # fmt: skip
def test_a_duckdb_query_reads_its_file_and_nothing_else(query: str, tmp_path: Path) -> None:
    duckdb_file(tmp_path, "CREATE TABLE t AS SELECT 1 AS a")
    with pytest.raises(NonRetryableError):
        DuckDBSource(path="a.duckdb", query=query).scan(tmp_path)


def test_missing_tables_are_named_with_the_nearest(tmp_path: Path) -> None:
    duckdb_file(tmp_path, "CREATE TABLE orders AS SELECT 1 AS a")
    sqlite_file(tmp_path, "CREATE TABLE orders (a)")
    for source in (DuckDBSource(path="a.duckdb", table="order"), SQLiteSource(path="a.db", table="order")):
        with pytest.raises(NonRetryableError, match="did you mean `orders`"):
            source.scan(tmp_path)


def test_files_that_are_no_databases(tmp_path: Path) -> None:
    (tmp_path / "a.db").write_text("not a database, but long enough to be looked at " * 100)
    for source in (DuckDBSource(path="a.db", table="t"), SQLiteSource(path="a.db", table="t")):
        with pytest.raises(NonRetryableError, match=r"a\.db"):
            source.scan(tmp_path)


# PostgreSQL ---------------------------------------------------------------------------------------------------------


def execute(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as con:
        for statement in statements:
            con.execute(statement.encode())


def test_postgres_types_and_values(postgres: str, tmp_path: Path) -> None:
    execute(
        postgres,
        "CREATE TYPE mood AS ENUM ('happy', 'sad')",
        """CREATE TABLE t (b bool, i2 smallint, i8 bigint, f float8, n numeric(10, 2), any_n numeric, s text, c char(3), d date, ts timestamp,
           ti time, by bytea, j jsonb, u uuid, m mood, l int[], net inet)""",
        r"""INSERT INTO t VALUES (true, 1, 2, 'nan', 1.10, 1.23456789012345678901234567890, 'é', 'x', '2020-02-29', '2020-01-01 01:02:03.123456',
            '01:02:03', '\x00ff', '{"a": 1.10}', '00000000-0000-0000-0000-000000000001', 'sad', '{1,null}', '10.0.0.1')""",
        "INSERT INTO t (b) VALUES (null)",
    )
    scan = PostgresSource(url=postgres, table="t").scan(tmp_path)
    assert types(scan) == [
        "boolean", "int16", "int64", "float64", "decimal(10, 2)", "string", "string", "string", "date", "timestamp", "time", "binary", "json",
        "string", "string", "list<int32>", "string",
    ]  # fmt: skip
    assert len(scan.notes) == 2  # the number without a precision, and the address
    first, second = (row[:-1] for row in read(scan).rows)
    assert first[3] != first[3]
    assert first[:3] + first[4:] == (
        True, 1, 2, decimal.Decimal("1.10"), "1.23456789012345678901234567890", "é", "x", dt.date(2020, 2, 29),
        dt.datetime.fromisoformat("2020-01-01 01:02:03.123456"), dt.time(1, 2, 3), b"\0\xff", '{"a": 1.10}', "00000000-0000-0000-0000-000000000001", "sad",
        [1, None], "10.0.0.1/32",
    )  # fmt: skip
    assert set(second) == {None}


def test_moments_of_postgres_without_end_stay_without_end(postgres: str, tmp_path: Path) -> None:
    execute(postgres, "CREATE TABLE t (d date, ts timestamp)", "INSERT INTO t VALUES ('infinity', '-infinity')")
    scan = PostgresSource(url=postgres, query="SELECT * FROM t;").scan(tmp_path)
    with connect() as con:
        read(scan, con)
        assert con.execute("SELECT d::VARCHAR, ts::VARCHAR FROM loaded").fetchall() == [("infinity", "-infinity")]


def test_an_instant_of_postgres_is_the_same_instant(postgres: str, tmp_path: Path) -> None:
    scan = PostgresSource(url=postgres, query="SELECT timestamptz '2020-01-01 12:00+02' AS t").scan(tmp_path)
    assert types(scan) == ["timestamptz"]
    with connect() as con:
        opened = open_scan(con, scan, "t")
        assert con.execute(f"SELECT epoch_us(t) FROM {opened.relation}").fetchall() == [(1577872800000000,)]


def test_many_rows_of_postgres_come_in_order(postgres: str, tmp_path: Path) -> None:
    execute(postgres, "CREATE TABLE t AS SELECT i, 'row ' || i AS s FROM generate_series(1, 50000) AS i")
    rows = read(PostgresSource(url=postgres, table="t").scan(tmp_path)).rows
    assert rows == [(i, f"row {i}", 0) for i in range(1, 50_001)]


@pytest.mark.parametrize(
    "query",
    ["DELETE FROM t RETURNING a", "INSERT INTO t VALUES (2) RETURNING a", "SELECT 1; DROP TABLE t", "SELECT 1) AS x; DROP TABLE t; --", "DROP TABLE t", "SELECT nextval('s') AS n"],
)  # fmt: skip
def test_a_postgres_query_changes_nothing(query: str, postgres: str, tmp_path: Path) -> None:
    execute(postgres, "CREATE TABLE t (a int)", "INSERT INTO t VALUES (1)", "CREATE SEQUENCE s")
    with pytest.raises(NonRetryableError):
        read(PostgresSource(url=postgres, query=query).scan(tmp_path))
    with psycopg.connect(postgres) as con:
        assert con.execute("SELECT a FROM t").fetchall() == [(1,)]


def test_what_postgres_does_not_have_is_said_with_the_nearest(postgres: str, tmp_path: Path) -> None:
    execute(postgres, "CREATE TABLE orders (amount int)", "CREATE SCHEMA sales", "CREATE TABLE sales.leads (a int)")
    with pytest.raises(NonRetryableError, match="did you mean `orders`"):
        PostgresSource(url=postgres, table="order").scan(tmp_path)
    with pytest.raises(NonRetryableError, match=r"did you mean `sales\.leads`"):
        PostgresSource(url=postgres, table="sales.lead").scan(tmp_path)
    with pytest.raises(NonRetryableError, match=r"(?s)amuont.*orders\.amount"):
        PostgresSource(url=postgres, query="SELECT amuont FROM orders").scan(tmp_path)


def test_postgres_that_does_not_answer_is_for_later_and_a_wrong_database_is_not(postgres: str, tmp_path: Path) -> None:
    with pytest.raises(RetryableError, match="refused"):
        PostgresSource(url="postgresql://postgres:hunter2@127.0.0.1:1/x", table="t").scan(tmp_path)
    for wrong in (postgres + "_no", postgres.replace("postgres@", "nobody_here:hunter2@")):
        with pytest.raises(NonRetryableError, match="does not exist") as raised:
            PostgresSource(url=wrong, table="t").scan(tmp_path)
        assert "hunter2" not in str(raised.value)


def test_an_error_in_the_middle_of_the_rows_is_told_without_the_query(postgres: str, tmp_path: Path) -> None:
    scan = PostgresSource(url=postgres, query="SELECT 1 / (20000 - i) AS a FROM generate_series(1, 30000) AS i").scan(tmp_path)
    with pytest.raises(NonRetryableError, match="division by zero"):
        read(scan)
