"""The source `odbc` through real drivers, of PostgreSQL and of MariaDB: every type as it is or with a stated error, nothing cut."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path

import pytest
from tests.integration.odbc_databases import Database, database, rows

from headrace.business.connections import Profile
from headrace.errors import HeadraceError, NonRetryableError
from headrace.infrastructure.connectors.mysql_source import MySQLSource
from headrace.infrastructure.connectors.odbc import dialects
from headrace.infrastructure.connectors.odbc.source import OdbcSource
from headrace.infrastructure.connectors.postgres_source import PostgresSource
from headrace.testing import source_conforms


@pytest.fixture(params=["postgres", "mysql"])
def either(request: pytest.FixtureRequest) -> Database:
    return database(request.param, request)


@pytest.fixture
def in_postgres(request: pytest.FixtureRequest) -> Database:
    return database("postgres", request)


@pytest.fixture
def in_mariadb(request: pytest.FixtureRequest) -> Database:
    return database("mysql", request)


@pytest.fixture
def as_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """The databases of these tests are read as one is that nothing is known of."""
    monkeypatch.setattr(dialects, "_DIALECTS", {})


Case = tuple[str, str, str, object]


def come(there: Database, cases: Sequence[Case], **more: str) -> tuple[list[Case], list[object]]:
    """What came of the values in a table that has a column of each type, and of a row of nulls."""
    there.do("CREATE TABLE t (" + ", ".join(f"c{n} {declared}" for n, (declared, *_) in enumerate(cases)) + ")")
    there.do("INSERT INTO t VALUES (" + ", ".join(written for _, written, *_ in cases) + ")", **more)
    there.do("INSERT INTO t (c0) VALUES (NULL)")
    source = there.source(table="t")
    values, nulls = rows(source)
    kinds = [str(column.type) for column in source.schema_of(Path())]
    came = [(*case[:2], kind, value) for case, kind, value in zip(cases, kinds, values, strict=True)]
    return came, [value for value in nulls if value is not None]


POSTGRESQL: list[Case] = [
    ("smallint", "-32768", "int16", -(2**15)),
    ("int", "-2147483648", "int32", -(2**31)),
    ("bigint", "-9223372036854775808", "int64", -(2**63)),
    ("numeric(38,10)", "-1234567890123456789012345678.0123456789", "decimal(38, 10)", Decimal("-1234567890123456789012345678.0123456789")),
    ("numeric(5,5)", "-0.00001", "decimal(5, 5)", Decimal("-0.00001")),
    ("numeric", "1.00000000000000000000000000000000000000000001", "string", "1.00000000000000000000000000000000000000000001"),
    ("numeric(50,2)", "'NaN'", "string", "NaN"),
    ("real", "0.1", "float32", 0.10000000149011612),
    ("real", "1.1754942e-38", "float32", 1.1754942106924411e-38),
    ("float8", "5e-324", "float64", 5e-324),
    ("float8", "'-Infinity'", "float64", -math.inf),
    ("boolean", "false", "boolean", False),
    ("date", "'0001-02-03'", "date", date(1, 2, 3)),
    ("date", "'9999-12-31'", "date", date(9999, 12, 31)),
    ("time", "'23:59:59.999999'", "time", time(23, 59, 59, 999999)),
    ("timestamp", "'9999-12-31 23:59:59.999999'", "timestamp", datetime.fromisoformat("9999-12-31 23:59:59.999999")),
    ("timestamp(0)", "'0001-01-01 00:00:00'", "timestamp", datetime.fromisoformat("0001-01-01 00:00:00")),
    ("timestamptz", "'2024-06-01 12:00:00.000001+02'", "timestamptz", datetime(2024, 6, 1, 10, 0, 0, 1, UTC)),
    ("text", "'é 🦆 ж'", "string", "é 🦆 ж"),
    ("varchar(4)", "'🦆🦆🦆🦆'", "string", "🦆🦆🦆🦆"),
    ("varchar", "repeat('x', 9000)", "string", "x" * 9000),
    ("char(5)", "'ab'", "string", "ab   "),
    ("bytea", "'\\x00ff22'", "binary", b"\x00\xff\x22"),
    ("bytea", "''", "binary", b""),
    ("uuid", "'123e4567-e89b-12d3-a456-426655440000'", "string", "123e4567-e89b-12d3-a456-426655440000"),
    ("jsonb", """'{"a": "🦆"}'""", "string", '{"a": "🦆"}'),
    ("money", "12.5", "string", "$12.50"),
    ("interval", "'1 day'", "string", "1 day"),
    ("int[]", "'{1,2}'", "string", "{1,2}"),
]  # fmt: skip


def test_every_type_of_postgresql_comes_as_it_is(in_postgres):
    assert come(in_postgres, POSTGRESQL) == (POSTGRESQL, [])


IN_MARIADB: list[Case] = [
    ("tinyint", "-128", "int8", -128),
    ("tinyint unsigned", "255", "uint8", 255),
    ("smallint unsigned", "65535", "uint16", 65535),
    ("mediumint", "-8388608", "int32", -8388608),
    ("int unsigned zerofill", "4294967295", "uint32", 2**32 - 1),
    ("bigint", "-9223372036854775808", "int64", -(2**63)),
    ("bigint unsigned", "18446744073709551615", "uint64", 2**64 - 1),
    ("bit(10)", "b'1000000001'", "uint64", 513),
    ("bit(1)", "b'1'", "uint64", 1),
    ("year", "1901", "int16", 1901),
    ("decimal(38,10)", "-1234567890123456789012345678.0123456789", "decimal(38, 10)", Decimal("-1234567890123456789012345678.0123456789")),
    ("decimal(65,30)", "-1.000000000000000000000000000001", "string", "-1.000000000000000000000000000001"),
    ("decimal(5,2) unsigned", "999.99", "decimal(5, 2)", Decimal("999.99")),
    ("float", "16777217", "float32", 16777216.0),
    ("float", "1.17549e-38", "float32", 1.1754900067970481e-38),
    ("double", "0.1e-300", "float64", 1e-301),
    ("date", "'9999-12-31'", "date", date(9999, 12, 31)),
    ("datetime(6)", "'0001-01-01 00:00:00.000001'", "timestamp", datetime.fromisoformat("0001-01-01 00:00:00.000001")),
    ("datetime", "'2024-01-01 10:00:00'", "timestamp", datetime.fromisoformat("2024-01-01 10:00:00")),
    ("timestamp(6) NULL", "'2024-06-01 10:00:00.000001'", "timestamptz", datetime(2024, 6, 1, 10, 0, 0, 1, UTC)),
    ("time(6)", "'23:59:59.999999'", "time", time(23, 59, 59, 999999)),
    ("enum('a','b')", "'b'", "string", "b"),
    ("set('x','y')", "'x,y'", "string", "x,y"),
    ("varchar(20) character set latin1", "'é'", "string", "é"),
    ("longtext character set utf8mb4", "'nul \\0 🦆'", "string", "nul \0 🦆"),
    ("varbinary(10)", "X'00FF22'", "binary", b"\x00\xff\x22"),
    ("binary(3)", "X'0A0D'", "binary", b"\n\r\x00"),
    ("longblob", "X''", "binary", b""),
    ("uuid", "'123e4567-e89b-12d3-a456-426655440000'", "string", "123e4567-e89b-12d3-a456-426655440000"),
    ("json", """'{"a":1}'""", "string", '{"a":1}'),
]  # fmt: skip


def test_every_type_of_mariadb_comes_as_it_is(in_mariadb):
    assert come(in_mariadb, IN_MARIADB, init_command="SET time_zone = '+00:00'") == (IN_MARIADB, [])


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("'infinity'::date", "'infinity'"),
        ("'-infinity'::timestamptz", "'-infinity'"),
        ("'0044-03-15 10:00:00.123456 BC'::timestamp", "'0044-03-15 10:00:00.123456 BC'"),
        ("'12345-01-01'::date", "'12345-01-01'"),
        ("'24:00'::time", "24:00:00"),
        ("'NaN'::numeric(5,2)", "'NaN'"),
    ],
)
def test_what_the_driver_of_postgresql_would_change_is_refused(in_postgres, written, said):
    """psqlodbc makes today of infinity, and nought of NaN."""
    with pytest.raises(NonRetryableError, match=said) as caught:
        rows(in_postgres.source(query=f"SELECT {written} AS v"))
    assert "select it otherwise with `query`" in str(caught.value)


@pytest.mark.parametrize(
    ("declared", "written"),
    [
        ("date", "0000-00-00"),
        ("datetime", "2024-00-00 00:00:00"),
        ("datetime", "0000-00-00 00:00:00"),
        ("time", "838:59:59"),
        ("time", "-01:00:00"),
    ],
)
def test_what_is_no_value_elsewhere_is_refused(in_mariadb, declared, written):
    """Its driver makes null of the first three."""
    in_mariadb.do(f"CREATE TABLE t (v {declared})")
    in_mariadb.do(f"INSERT INTO t VALUES ('{written}')", sql_mode="")
    with pytest.raises(NonRetryableError, match=written):
        rows(in_mariadb.source(table="t"))


def test_what_comes_as_text_is_noted(in_postgres, in_mariadb):
    in_postgres.do("CREATE TABLE t (a numeric, b int4range, c inet, d text)")
    assert in_postgres.source(table="t").scan(Path()).notes == (
        "`a` is a decimal of more than 38 digits, or of no stated number, and comes as text",
        "`b` is of a type that the driver has no word for, and comes as text",
        "`c` is inet, and comes as text",
    )
    in_mariadb.do("CREATE TABLE t (a decimal(50,2))")
    assert len(in_mariadb.source(table="t").scan(Path()).notes) == 1


TEXTS = [
    "a,b",
    'say "x"',
    "two\nlines",
    "two\r\nlines",
    "\\n and \\",
    "'",
    "",
    " ends in a space ",
    "é 🦆 ж",
    "NULL",
    "\t",
    "?",
]


def test_every_character_of_a_text_comes_through(either):
    either.do("CREATE TABLE t (id int, v text)")
    if either.kind == "mysql":
        either.do("ALTER TABLE t CONVERT TO CHARACTER SET utf8mb4")
    for number, text in enumerate(TEXTS):
        written = text.replace("'", "''").replace("\\", "\\\\" if either.kind == "mysql" else "\\")
        either.do(f"INSERT INTO t VALUES ({number}, '{written}')")
    assert [v for (v,) in rows(either.source(query="SELECT v FROM t ORDER BY id"))] == TEXTS


@pytest.mark.parametrize("value", ["repeat('é', 40)", "repeat('xy', 40)"])
def test_a_value_that_is_too_long_is_refused_and_not_cut(either, value):
    query = f"SELECT {value} AS v"
    assert len(str(rows(either.source(query=query, longest_value=80))[0][0]).encode()) == 80
    for longest in (79, 78, 77, 76, 75, 74, 1):
        with pytest.raises(
            NonRetryableError, match=f"longer than the {longest} bytes that one may have; nothing was cut"
        ) as caught:
            rows(either.source(query=query, longest_value=longest))
        assert "allow more with `longest_value`" in str(caught.value)


def test_no_length_around_that_of_the_buffer_is_cut(either):
    """The driver of MariaDB cuts one byte too many without a word."""
    for length in range(300, 316):
        query = f"SELECT repeat('x', {length}) AS v UNION ALL SELECT 'y'"
        try:
            found = rows(either.source(query=query, longest_value=306))
        except NonRetryableError:
            assert length > 306
        else:
            assert (length <= 306, found) == (True, [("x" * length,), ("y",)])


def test_numbers_and_moments_need_no_room_for_texts(either):
    either.do("CREATE TABLE t (n decimal(38, 1), at timestamp(6), v varchar(1))")
    either.do("INSERT INTO t VALUES (1234567890123456789012345678901234567.5, '2024-01-01 00:00:00.000001', 'x')")
    assert len(rows(either.source(table="t", longest_value=1))) == 1


def test_bytes_that_are_too_many_are_refused_and_not_cut(in_postgres, in_mariadb):
    for there, query in (
        (in_postgres, "SELECT decode(repeat('00', 9), 'hex') AS v"),
        (in_mariadb, "SELECT X'000000000000000000' AS v"),
    ):
        assert rows(there.source(query=query, longest_value=9)) == [(bytes(9),)]
    with pytest.raises(NonRetryableError, match="longer than the 8 bytes"):
        rows(in_postgres.source(query="SELECT decode(repeat('00', 9), 'hex') AS v", longest_value=8))


def test_megabytes_come_whole_where_they_are_allowed(either):
    query = "SELECT repeat('é', 2000000) AS v, 1 AS w, repeat('x', 3) AS x"
    assert rows(either.source(query=query, longest_value=1 << 22)) == [("é" * 2_000_000, 1, "xxx")]


def test_the_kit_of_sources(either):
    either.do("CREATE TABLE t (id int PRIMARY KEY, v text, n decimal(9, 2))")
    numbers = "generate_series(1, 6000) AS s(seq)" if either.kind == "postgres" else "seq_1_to_6000"
    either.do(f"INSERT INTO t SELECT seq, repeat('x', 3000), seq / 4.0 FROM {numbers}")
    source = either.source(table="t")
    assert len(list(source.read(Path(), "all", None))) > 1
    source_conforms(source, Path())


def test_rows_come_a_part_at_a_time_and_all_of_one_moment(either):
    either.do("CREATE TABLE t (id int PRIMARY KEY, v text)")
    numbers = "generate_series(1, 6000) AS s(seq)" if either.kind == "postgres" else "seq_1_to_6000"
    either.do(f"INSERT INTO t SELECT seq, repeat('x', 3000) FROM {numbers}")
    reading = either.source(table="t").read(Path(), "all", None)
    count = next(reading).rows.num_rows
    assert count < 6000
    either.do("DELETE FROM t WHERE id > 10")
    assert count + sum(batch.rows.num_rows for batch in reading) == 6000


#: Rows of every kind that a number makes, some of them null.
MADE = {
    "postgres": "CREATE TABLE t AS SELECT g AS id, nullif(g % 7, 0)::smallint AS a, (g * 0.37)::float8 AS b, (g * 12345.678)::numeric(20, 3) AS c, "
    "nullif(repeat('é🦆', g % 50), '') AS d, '0001-01-01'::date + g * 700 AS e, '2024-01-01'::timestamptz + g * interval '1.000001 s' AS f, "
    "g % 3 = 0 AS g, decode(md5(g::text), 'hex') AS h, '00:00'::time + g * interval '7.000003 s' AS i FROM generate_series(1, 5000) g",
    "mysql": "CREATE TABLE t CHARACTER SET utf8mb4 AS SELECT seq AS id, nullif(seq % 7, 0) AS a, seq * 0.37e0 AS b, "
    "cast(seq * 12345.678 AS decimal(20, 3)) AS c, nullif(repeat('é🦆', seq % 50), '') AS d, date('0001-01-01') + INTERVAL seq * 700 DAY AS e, "
    "timestamp('2024-01-01') + INTERVAL seq * 1000001 MICROSECOND AS f, unhex(md5(seq)) AS h, cast(sec_to_time(seq * 7.000003) AS time(6)) AS i "
    "FROM seq_1_to_5000",
}


def test_the_same_rows_come_as_through_the_source_of_its_own(either):
    either.do(MADE[either.kind])
    own = {"postgres": PostgresSource, "mysql": MySQLSource}[either.kind](url=either.url, table="t")
    assert either.source(table="t").schema_of(Path()) == own.schema_of(Path())
    assert sorted(rows(either.source(table="t"))) == sorted(rows(own))


@pytest.mark.parametrize(
    ("options", "said", "hint"),
    [
        ({"table": "tt"}, "odbc has no table `tt`", "did you mean `t`?"),
        ({"query": "SELECT idd FROM t"}, "idd", "see that the column is named as it is there"),
        ({"query": "SELEC 1"}, "syntax", "see that the query runs in the server's own client"),
        ({"query": "SELECT 1 AS a, 2 AS a"}, "a", "name one of them with AS"),
        ({"query": "DELETE FROM t"}, "syntax", "see that the query runs"),
        ({"query": "SELECT 1 AS a; DROP TABLE t"}, "syntax", "see that the query runs"),
    ],
)
def test_wrong_tables_columns_and_queries_are_told(either, options, said, hint):
    either.do("CREATE TABLE t (id int)")
    with pytest.raises(HeadraceError) as caught:
        either.source(**options).scan(Path())
    assert said in str(caught.value)
    assert hint in str(caught.value)
    assert rows(either.source(table="t")) == []


FUNCTION = {
    "postgres": "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'INSERT INTO t VALUES (1) RETURNING id'",
    "mysql": "CREATE FUNCTION f() RETURNS int MODIFIES SQL DATA BEGIN INSERT INTO t VALUES (1); RETURN 1; END",
}


def test_nothing_can_be_changed_by_reading(either):
    either.do("CREATE TABLE t (id int)")
    either.do(FUNCTION[either.kind])
    with pytest.raises(NonRetryableError, match=r"(?i)read.only transaction"):
        rows(either.source(query="SELECT f() AS v"))
    assert rows(either.source(table="t")) == []


def test_names_may_hold_anything(either):
    mark, beyond = ('"', "🦀") if either.kind == "postgres" else ("`", "é")  # MariaDB takes no names beyond the BMP
    table, column = f"a {mark}b{mark} ?; é", f"x {mark} = ? {beyond}"
    written = ["".join((mark, name.replace(mark, mark * 2), mark)) for name in (table, column)]
    either.do(f"CREATE TABLE {written[0]} ({written[1]} int)")
    either.do(f"INSERT INTO {written[0]} VALUES (7)")
    source = either.source(table=table)
    assert rows(source) == [(7,)]
    assert list(source.schema_of(Path()).names) == [column]
    scan = source.scan(Path()).by_cursor(column, "8")
    assert scan is not None
    assert sum(batch.num_rows for batch in scan.open()) == 0


CURSORS = {
    "postgres": [
        ("int8", "9223372036854775807", "9223372036854775806", "9223372036854775807"),
        ("numeric(38,10)", "1234567890123456789012345678.0000000001", "1234567890123456789012345678.0000000000", "1234567890123456789012345678.0000000001"),
        ("date", "'2024-03-01'", "'2024-02-29'", "2024-03-01"),
        ("timestamp", "'2024-01-01 00:00:00.000001'", "'2024-01-01 00:00:00'", "2024-01-01 00:00:00.000001"),
        ("timestamptz", "'2024-01-01 00:00:00.000001+00'", "'2024-01-01 00:00:00+00'", "2024-01-01 00:00:00.000001+00"),
        ("text", "'b'", "'B'", "b"),
        ("float8", "0.1", "0.09999999999999999", "0.1"),
    ],
    "mysql": [
        ("bigint unsigned", "18446744073709551615", "18446744073709551614", "18446744073709551615"),
        ("decimal(38,10)", "1234567890123456789012345678.0000000001", "1234567890123456789012345678.0000000000", "1234567890123456789012345678.0000000001"),
        ("date", "'2024-03-01'", "'2024-02-29'", "2024-03-01"),
        ("datetime(6)", "'2024-01-01 00:00:00.000001'", "'2024-01-01 00:00:00'", "2024-01-01 00:00:00.000001"),
        ("timestamp(6) NULL", "'2024-01-01 00:00:00.000001'", "'2024-01-01 00:00:00'", "2024-01-01 00:00:00.000001+00"),
        ("varchar(9)", "'b'", "'B'", "b"),
        ("double", "0.1", "0.09999999999999999", "0.1"),
    ],
}  # fmt: skip


def test_the_database_compares_cursors_as_they_are_compared_here(either):
    for number, (declared, reached, below, value) in enumerate(CURSORS[either.kind]):
        either.do(f"CREATE TABLE t{number} (v {declared})")
        zone = {"init_command": "SET time_zone = '+00:00'"} if either.kind == "mysql" else {}
        either.do(f"INSERT INTO t{number} VALUES ({reached}), ({below}), (NULL)", **zone)
        whole = either.source(table=f"t{number}").scan(Path())
        scan = whole.by_cursor("v", value)
        assert sum(batch.num_rows for batch in whole.open()) == 3
        assert (declared, sum(batch.num_rows for batch in scan.open())) == (declared, 2)


# A database that nothing is known of ----------------------------------------------------------------------------------------


def test_columns_of_any_other_database_come_as_the_driver_describes_them(as_any_other, in_postgres, in_mariadb):
    in_postgres.do(
        "CREATE TABLE t (a smallint, b int, c bigint, d numeric(20,5), e real, f float8, g boolean, h date, i time(0), j timestamp, k varchar(9), l bytea)"
    )
    in_postgres.do(
        "INSERT INTO t VALUES (-1, -2, -3, -0.5, 0.1, 1e-301, true, '9999-12-31', '23:59:59', '0001-01-01 00:00:00.000001', '🦆', '\\x00ff'), (NULL"
        + 11 * ", NULL"
        + ")"
    )
    source = in_postgres.source(table="t")
    assert [str(c.type) for c in source.schema_of(Path())] == [
        *("int16", "int32", "int64", "decimal(20, 5)", "float32", "float64", "boolean", "date", "time", "timestamp", "string", "binary")
    ]  # fmt: skip
    assert rows(source) == [
        (
            *(-1, -2, -3, Decimal("-0.50000"), 0.10000000149011612, 1e-301, True, date(9999, 12, 31), time(23, 59, 59)),
            *(datetime(1, 1, 1, 0, 0, 0, 1), "🦆", b"\x00\xff"),  # noqa: DTZ001
        ),
        (None,) * 12,
    ]
    in_mariadb.do("CREATE TABLE t (a tinyint unsigned, b smallint unsigned, c int unsigned, d bigint unsigned, e datetime)")
    in_mariadb.do(f"INSERT INTO t VALUES (255, 65535, {2**32 - 1}, {2**64 - 1}, '2024-01-01 00:00:00')")
    found = in_mariadb.source(table="t")
    assert [str(c.type) for c in found.schema_of(Path())] == ["uint8", "uint16", "uint32", "uint64", "timestamp"]
    assert rows(found) == [(255, 65535, 2**32 - 1, 2**64 - 1, datetime(2024, 1, 1))]  # noqa: DTZ001


def test_any_other_database_is_only_asked_what_all_of_them_understand(as_any_other, either):
    either.do("CREATE TABLE t (n int, d decimal(9, 2), day date, v varchar(9))")
    either.do("INSERT INTO t VALUES (1, 1.5, '2024-01-01', 'a'), (2, 2.5, '2024-01-02', 'b'), (NULL, NULL, NULL, NULL)")
    scan = either.source(table="t").scan(Path())
    assert [sum(b.num_rows for b in scan.by_cursor(name, "2").open()) for name in ("n", "d")] == [2, 2]
    assert [scan.by_cursor(name, value) for name, value in (("day", "2024-01-02"), ("v", "b"))] == [None, None]
    asked = either.source(query="SELECT n FROM t ORDER BY n DESC").scan(Path())
    assert asked.by_cursor("n", "2") is None
    assert sum(batch.num_rows for batch in asked.open()) == 3


def test_a_driver_by_its_library_does_as_well(in_postgres):
    library = next(Path("/usr/lib").glob("*/odbc/psqlodbcw.so"))
    way = in_postgres.way.model_copy(update={"driver": str(library)})
    assert rows(OdbcSource(connection=Profile("db", way), query="SELECT 1 AS v")) == [(1,)]
