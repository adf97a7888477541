"""The source `mysql` against a real MariaDB: every type as it is or with a stated error, every byte of a text, one snapshot."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.integration.mysql_server import MySQLServer

from headrace.errors import HeadraceError, NonRetryableError
from headrace.infrastructure.connectors.mysql_source import MySQLSource
from headrace.testing import source_conforms

Do = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture
def do(mysql_server: MySQLServer, mysql: str) -> Do:
    """Carries out a statement in the empty database of the test."""
    return lambda statement, **more: mysql_server.ask(statement, database=mysql.rpartition("/")[2], charset="utf8mb4", **more)


def rows(source: MySQLSource, here: Path) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for batch in source.read(here, "all", None) for row in batch.rows.to_pylist()]


def types(source: MySQLSource, here: Path) -> list[str]:
    return [str(column.type) for column in source.schema_of(here)]


@pytest.mark.parametrize(
    ("declared", "written", "kind", "value"),
    [
        ("tinyint", "-128", "int8", -128),
        ("tinyint unsigned", "255", "uint8", 255),
        ("smallint unsigned", "65535", "uint16", 65535),
        ("mediumint", "-8388608", "int32", -8388608),
        ("int unsigned zerofill", "42", "uint32", 42),
        ("bigint", "-9223372036854775808", "int64", -(2**63)),
        ("bigint unsigned", "18446744073709551615", "uint64", 2**64 - 1),
        ("bit(10)", "b'1000000001'", "uint64", 513),
        ("year", "1901", "int16", 1901),
        (
            "decimal(38,10)",
            "-1234567890123456789012345678.0123456789",
            "decimal(38, 10)",
            Decimal("-1234567890123456789012345678.0123456789"),
        ),
        ("decimal(65,30)", "1.000000000000000000000000000001", "string", "1.000000000000000000000000000001"),
        ("decimal(5,2) unsigned", "999.99", "decimal(5, 2)", Decimal("999.99")),
        ("float", "0.1", "float32", 0.10000000149011612),
        ("float", "16777217", "float32", 16777216.0),
        ("double", "0.1e-300", "float64", 1e-301),
        ("date", "'0001-02-03'", "date", date(1, 2, 3)),
        ("datetime(6)", "'9999-12-31 23:59:59.999999'", "timestamp", datetime.fromisoformat("9999-12-31 23:59:59.999999")),
        ("datetime", "'2024-01-01 10:00:00'", "timestamp", datetime.fromisoformat("2024-01-01 10:00:00")),
        ("timestamp(6)", "'2024-06-01 10:00:00.000001'", "timestamptz", datetime(2024, 6, 1, 10, 0, 0, 1, UTC)),
        ("time(6)", "'23:59:59.999999'", "time", time(23, 59, 59, 999999)),
        ("enum('a','b')", "'b'", "string", "b"),
        ("set('x','y')", "'x,y'", "string", "x,y"),
        ("varchar(20) character set latin1", "'é'", "string", "é"),
        ("char(5)", "'ab'", "string", "ab"),
        ("longtext", "''", "string", ""),
        ("varbinary(10)", "X'00FF22'", "binary", b"\x00\xff\x22"),
        ("binary(3)", "X'0A0D'", "binary", b"\n\r\x00"),
        ("blob", "X''", "binary", b""),
        ("uuid", "'123e4567-e89b-12d3-a456-426655440000'", "string", "123e4567-e89b-12d3-a456-426655440000"),
        ("inet6", "'::1'", "string", "::1"),
    ],
)
def test_every_type_comes_as_it_is(mysql, do, tmp_path, declared, written, kind, value):
    do(f"CREATE TABLE t (v {declared} NULL, w int)")
    do(f"INSERT INTO t VALUES ({written}, 1), (NULL, NULL)", init_command="SET time_zone = '+00:00'")
    source = MySQLSource(url=mysql, table="t")
    assert types(source, tmp_path) == [kind, "int32"]
    assert rows(source, tmp_path) == [(value, 1), (None, None)]


def test_every_character_of_a_text_comes_through(mysql, do, tmp_path):
    texts = [
        "a,b",
        'say "x"',
        "two\nlines",
        "two\r\nlines",
        "\\n and \\",
        "'",
        "",
        " ends in a space ",
        "é 🦆 ж",
        "nul \0 in it",
        "NULL",
        '"',
        "\t",
    ]
    do("CREATE TABLE t (id int, v longtext character set utf8mb4)")
    for number, text in enumerate(texts):
        do(f"INSERT INTO t VALUES ({number}, CONVERT(X'{text.encode().hex()}' USING utf8mb4))")
    assert [v for _, v in rows(MySQLSource(url=mysql, table="t"), tmp_path)] == texts
    assert [v for (v,) in rows(MySQLSource(url=mysql, query="SELECT v FROM t ORDER BY id"), tmp_path)] == texts


def test_a_row_of_nothing_but_a_null_is_a_row(mysql, do, tmp_path):
    do("CREATE TABLE t (v int)")
    do("INSERT INTO t VALUES (NULL), (1), (NULL)")
    assert rows(MySQLSource(url=mysql, query="SELECT v FROM t"), tmp_path) == [(None,), (1,), (None,)]
    do("DELETE FROM t")
    assert rows(MySQLSource(url=mysql, table="t"), tmp_path) == []


@pytest.mark.parametrize(
    ("declared", "written", "said"),
    [
        ("date", "'0000-00-00'", "0000-00-00"),
        ("datetime", "'2024-00-00 00:00:00'", "2024-00-00"),
        ("time", "'838:59:59'", "838:59:59"),
    ],
)
def test_what_is_no_value_elsewhere_is_refused_with_a_way_out(mysql, do, tmp_path, declared, written, said):
    do(f"CREATE TABLE t (v {declared})")
    do(f"INSERT INTO t VALUES ({written})", sql_mode="")
    with pytest.raises(NonRetryableError, match=said) as caught:
        rows(MySQLSource(url=mysql, table="t"), tmp_path)
    assert "NULLIF(day, '0000-00-00')" in str(caught.value)


def test_decimals_beyond_our_digits_are_noted(mysql, do, tmp_path):
    do("CREATE TABLE t (v decimal(50,2))")
    assert MySQLSource(url=mysql, table="t").scan(tmp_path).notes == (
        "`v` is decimal(50, 2), more than 38 digits, and comes as text",
    )


def test_the_kit_of_sources(mysql, do, tmp_path):
    do("CREATE TABLE t (id int PRIMARY KEY, v longtext)")
    do("INSERT INTO t SELECT seq, repeat('x', 3000) FROM seq_1_to_4000")
    source = MySQLSource(url=mysql, table="t")
    assert len(list(source.read(tmp_path, "all", None))) > 1
    source_conforms(source, tmp_path)


def test_all_rows_are_of_one_moment(mysql, do, tmp_path):
    do("CREATE TABLE t (id int PRIMARY KEY, v longtext)")
    do("INSERT INTO t SELECT seq, repeat('x', 3000) FROM seq_1_to_4000")
    reading = MySQLSource(url=mysql, table="t").read(tmp_path, "all", None)
    count = next(reading).rows.num_rows
    do("DELETE FROM t WHERE id > 10")
    assert count + sum(batch.rows.num_rows for batch in reading) == 4000


def test_a_row_that_the_server_cannot_send_is_not_lost(mysql, mysql_server, do, tmp_path):
    do("CREATE TABLE t (a longtext, b longtext)")
    do("INSERT INTO t VALUES (repeat('x', 9000000), repeat('y', 9000000))")
    with pytest.raises(NonRetryableError, match="larger than the server's `max_allowed_packet`"):
        rows(MySQLSource(url=mysql, table="t"), tmp_path)


@pytest.mark.parametrize(
    ("options", "said", "hint"),
    [
        ({"table": "tt"}, "mysql has no table `tt`", "did you mean `t`?"),
        ({"query": "SELECT idd FROM t"}, "Unknown column 'idd'", "see that the column is named as it is there"),
        ({"query": "SELEC 1"}, "You have an error in your SQL syntax", "see that the query runs"),
        ({"query": "SELECT 1 AS a, 2 AS a"}, "Duplicate column name 'a'", "name one of them with AS"),
        ({"query": "DELETE FROM t"}, "You have an error in your SQL syntax", "see that the query runs"),
    ],
)
def test_wrong_tables_columns_and_queries_are_told(mysql, do, tmp_path, options, said, hint):
    do("CREATE TABLE t (id int)")
    with pytest.raises(HeadraceError) as caught:
        MySQLSource(url=mysql, **options).scan(tmp_path)
    assert said in str(caught.value)
    assert hint in str(caught.value)


def test_double_quotes_mean_in_a_query_what_they_mean_there(mysql, do, tmp_path):
    assert rows(MySQLSource(url=mysql, query='SELECT "it\\\'s" AS `a b`'), tmp_path) == [("it's",)]
