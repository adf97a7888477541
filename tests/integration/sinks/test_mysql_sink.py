"""What is peculiar to the sink `mysql`, against a real MariaDB. What it shares with all sinks stands in `tests/conformance/sinks`."""

from __future__ import annotations

import pytest
from tests.conformance.sinks.targets import checkpoint, stage

from headrace.business.model.schema import Schema
from headrace.business.model.types import Decimal, Float, Integer, String, Timestamp
from headrace.errors import NonRetryableError
from headrace.infrastructure.connectors.mysql_sink import MySQLSink

PAIRS = Schema.of(id=String(), v=String())


def sink(url: str, **options: object) -> MySQLSink:
    return MySQLSink.model_validate({"url": url, "table": "t", "mode": "append", **options})


def asked(mysql_server, mysql, statement):
    return mysql_server.ask(statement, database=mysql.rpartition("/")[2], charset="utf8mb4")


@pytest.mark.parametrize(
    "columns", ["id varchar(20), v varchar(20)", "id varchar(20) binary, v longtext character set utf8mb4 collate utf8mb4_bin"]
)
def test_texts_differ_when_their_bytes_do_whatever_the_collation(mysql_server, mysql, tmp_path, columns):
    asked(mysql_server, mysql, f"CREATE TABLE t ({columns}) CHARACTER SET utf8mb4")
    merging = sink(mysql, mode="merge", key="id")
    merging.publish(tmp_path, stage(tmp_path / "a", [("a", "x"), ("A", "x"), ("a ", "x"), ("á", "x")], PAIRS), checkpoint("a"))
    assert asked(mysql_server, mysql, "SELECT count(*) FROM t") == [(4,)]
    done = merging.publish(
        tmp_path, stage(tmp_path / "b", [("a", "X"), ("A", "x "), ("b", "x")], PAIRS), checkpoint("b", day=2)
    )
    assert (done.inserted, done.updated) == (1, 2)
    assert sorted(asked(mysql_server, mysql, "SELECT id, v FROM t")) == [
        ("A", "x "),
        ("a", "X"),
        ("a ", "x"),
        ("b", "x"),
        ("á", "x"),
    ]


def test_texts_arrive_as_they_are(mysql_server, mysql, tmp_path):
    texts = ["\\n", "it's", '"', "a\\", "\\'", "nul \0 in it", "🦆", "", "%s", "two\r\nlines", "'; DROP TABLE t; --"]
    sink(mysql).publish(tmp_path, stage(tmp_path / "a", [(str(n), t) for n, t in enumerate(texts)], PAIRS), checkpoint("a"))
    assert [v for _, v in sorted(asked(mysql_server, mysql, "SELECT id + 0, v FROM t"))] == texts


def test_whatever_moment_it_is_it_is_kept_in_utc(mysql_server, mysql, tmp_path):
    schema = Schema.of(at=Timestamp(True))
    rows = [("1969-12-31 23:00:00-05",), ("2038-01-20 00:00:00+00",), ("9999-12-31 23:59:59.999999+00",)]
    sink(mysql).publish(tmp_path, stage(tmp_path / "a", rows, schema), checkpoint("a"))
    assert [str(at) for (at,) in asked(mysql_server, mysql, "SELECT at FROM t ORDER BY 1")] == [
        "1970-01-01 04:00:00", "2038-01-20 00:00:00", "9999-12-31 23:59:59.999999",
    ]  # fmt: skip


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_what_is_no_number_is_refused_before_anything_is_touched(mysql_server, mysql, tmp_path, value):
    with pytest.raises(NonRetryableError, match="`x` is NaN or infinite in 1 rows, which MySQL cannot store"):
        sink(mysql).publish(tmp_path, stage(tmp_path / "a", [(1.5,), (value,)], Schema.of(x=Float())), checkpoint("a"))
    assert asked(mysql_server, mysql, "SHOW TABLES") == []


def test_a_table_that_knows_no_transactions_is_refused(mysql_server, mysql, tmp_path):
    asked(mysql_server, mysql, "CREATE TABLE t (id longtext, v longtext) ENGINE = MyISAM")
    with pytest.raises(NonRetryableError, match="tables of the engine MyISAM know no transactions") as caught:
        sink(mysql).publish(tmp_path, stage(tmp_path / "a", [("1", "x")], PAIRS), checkpoint("a"))
    assert "ENGINE = InnoDB" in str(caught.value)


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        ("smallint", Integer(32)),
        ("int unsigned", Integer(32)),
        ("decimal(10,2)", Decimal(12, 2)),
        ("float", Float(64)),
        ("timestamp", Timestamp(True)),
        ("int", String()),
    ],
)
def test_a_column_that_is_too_narrow_is_refused(mysql_server, mysql, tmp_path, column, kind):
    asked(mysql_server, mysql, f"CREATE TABLE t (v {column})")
    with pytest.raises(NonRetryableError, match="`v`"):
        sink(mysql).publish(tmp_path, stage(tmp_path / "a", [], Schema.of(v=kind)), checkpoint("a"))


def test_digits_that_do_not_fit_are_told_while_planning(mysql):
    assert any("at most 30 digits behind the point" in p for p in sink(mysql).problems(Schema.of(x=Decimal(38, 31))))
    assert any("more than 64 characters" in p for p in sink(mysql).problems(Schema.of(**{"x" * 65: String()})))


def test_rows_and_indexes_survive_many_statements(mysql_server, mysql, tmp_path):
    rows = [(str(n), "x" * 700) for n in range(6_000)]
    done = sink(mysql, indexes=["id"]).publish(tmp_path, stage(tmp_path / "a", rows, PAIRS), checkpoint("a"))
    assert done.inserted == 6_000
    assert asked(mysql_server, mysql, "SELECT count(*), count(DISTINCT id) FROM t") == [(6_000, 6_000)]
    assert len(asked(mysql_server, mysql, "SHOW INDEX FROM t")) == 1


def test_another_database_of_the_server_can_be_named(mysql_server, mysql, tmp_path):
    url, _, name = mysql.rpartition("/")
    sink(url + "/mysql", table=f"{name}.t").publish(tmp_path, stage(tmp_path / "a", [("1", "x")], PAIRS), checkpoint("a"))
    assert asked(mysql_server, mysql, "SELECT count(*) FROM t") == [(1,)]
