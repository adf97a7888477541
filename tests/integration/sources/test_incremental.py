"""Sources that are read by cursor: nothing is skipped, nothing comes twice, and no more is read and remembered than is needed."""

from __future__ import annotations

import hashlib
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest
from tests.integration import odbc_databases
from tests.integration.sources.incrementally import Runs

from headrace.errors import DefinitionError, NonRetryableError

Do = Callable[[str], None]


@pytest.fixture(params=["sqlite", "duckdb", "postgres", "mysql", "odbc to postgres", "odbc to mysql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[dict[str, Any], Do]:
    """A source on the table `t` of a database, and what carries out a statement there."""
    if request.param.startswith("odbc"):
        there = odbc_databases.database(request.param.removeprefix("odbc to "), request)
        (tmp_path / "headrace.toml").write_text(there.profile())
        return {"odbc": {"connection": "db", "table": "t"}}, there.do
    if request.param == "postgres":
        url = request.getfixturevalue("postgres")

        def in_postgres(statement: str) -> None:
            with psycopg.connect(url, autocommit=True) as con:
                con.execute(statement)  # type: ignore[call-overload]

        return {"postgres": {"url": url, "table": "t"}}, in_postgres
    if request.param == "mysql":
        url = request.getfixturevalue("mysql")
        server = request.getfixturevalue("mysql_server")

        def in_mysql(statement: str) -> None:
            server.ask(statement, database=url.rpartition("/")[2], charset="utf8mb4")

        return {"mysql": {"url": url, "table": "t"}}, in_mysql
    path, connect = tmp_path / "data.db", {"sqlite": sqlite3.connect, "duckdb": duckdb.connect}[request.param]

    def in_file(statement: str) -> None:
        with closing(connect(str(path))) as con:  # type: ignore[operator]
            con.execute(statement)
            con.commit()

    return {request.param: {"path": "data.db", "table": "t"}}, in_file


def test_rows_that_share_the_highest_value_come_once_each(database, tmp_path):
    source, do = database
    do("CREATE TABLE t (id INTEGER, v TEXT)")
    do("INSERT INTO t VALUES (1, 'a'), (2, 'b')")
    runs = Runs(tmp_path, source, {"cursor": "id"})
    assert runs.run() == [(1, "a"), (2, "b")]
    assert runs.run() == []
    do("INSERT INTO t VALUES (2, 'c'), (3, 'd'), (2, 'b')")
    assert Counter(runs.run()) == Counter([(2, "c"), (3, "d"), (2, "b")])
    assert runs.run() == []
    assert runs.known == 1


def test_rows_that_come_late_come_once_each_as_far_as_the_lag_reaches(database, tmp_path):
    source, do = database
    do("CREATE TABLE t (id INTEGER, v TEXT)")
    do("INSERT INTO t VALUES (1, 'a'), (10, 'b')")
    runs = Runs(tmp_path, source, {"cursor": "id", "lag": 3})
    runs.run()
    do("INSERT INTO t VALUES (7, 'late'), (6, 'too late'), (11, 'new')")
    assert Counter(runs.run()) == Counter([(7, "late"), (11, "new")])
    assert runs.run() == []
    assert runs.known == 2


def test_rows_without_a_value_come_once_each(database, tmp_path):
    source, do = database
    do("CREATE TABLE t (id INTEGER, v TEXT)")
    do("INSERT INTO t VALUES (NULL, 'a'), (5, 'b')")
    runs = Runs(tmp_path, source, {"cursor": "id"})
    assert Counter(runs.run()) == Counter([(None, "a"), (5, "b")])
    do("INSERT INTO t VALUES (NULL, 'a'), (NULL, 'c')")
    assert Counter(runs.run()) == Counter([(None, "a"), (None, "c")])
    do("UPDATE t SET id = 6 WHERE v = 'c'")
    assert runs.run() == [(6, "c")]


def test_what_is_below_is_not_even_read(database, tmp_path):
    source, do = database
    do("CREATE TABLE t (id INTEGER, v TEXT)")
    for start in range(0, 300, 100):
        do("INSERT INTO t VALUES " + ", ".join(f"({n}, 'v{n}')" for n in range(start, start + 100)))
    runs = Runs(tmp_path, source, {"cursor": "id"})
    runs.run()
    assert runs.last is not None
    assert runs.last.read == 300
    do("INSERT INTO t VALUES (1000, 'x')")
    assert runs.run() == [(1000, "x")]
    assert (runs.last.read, runs.last.filtered) == (2, 1)
    assert runs.known == 1


def test_texts_are_compared_by_their_bytes_here_and_there(database, tmp_path):
    source, do = database
    do("CREATE TABLE t (seen TEXT)")
    do("INSERT INTO t VALUES ('a'), ('B')")
    runs = Runs(tmp_path, source, {"cursor": "seen"})
    runs.run()
    do("INSERT INTO t VALUES ('b'), ('é')")
    assert Counter(runs.run()) == Counter([("b",), ("é",)])


def test_a_coarse_cursor_can_wait_and_remembers_nothing(database, tmp_path):
    source, do = database
    do("CREATE TABLE t (day INTEGER, v TEXT)")
    do("INSERT INTO t VALUES (1, 'a'), (1, 'b'), (2, 'c')")
    runs = Runs(tmp_path, source, {"cursor": "day", "newest": "wait"})
    assert Counter(runs.run()) == Counter([(1, "a"), (1, "b")])
    do("INSERT INTO t VALUES (2, 'd')")
    assert runs.run() == []
    do("INSERT INTO t VALUES (3, 'e')")
    assert Counter(runs.run()) == Counter([(2, "c"), (2, "d")])
    assert runs.known == 0


def test_one_may_begin_to_wait(database, tmp_path):
    source, do = database
    do("CREATE TABLE t (day INTEGER, v TEXT)")
    do("INSERT INTO t VALUES (1, 'a'), (2, 'b')")
    runs = Runs(tmp_path, source, {"cursor": "day"})
    runs.run()
    runs.written["sources"]["t"]["incremental"]["newest"] = "wait"
    do("INSERT INTO t VALUES (2, 'c')")
    assert runs.run() == []
    do("INSERT INTO t VALUES (3, 'd')")
    assert runs.run() == [(2, "c")]


def test_a_key_tells_rows_apart_so_that_only_a_moved_cursor_is_news(database, tmp_path):
    source, do = database
    do("CREATE TABLE t (id INTEGER, seen INTEGER, v TEXT)")
    do("INSERT INTO t VALUES (1, 5, 'a'), (2, 5, 'b')")
    runs = Runs(tmp_path, source, {"cursor": "seen", "lag": 100}, contract={"columns": {"id": {"required": True}}, "key": "id"})
    assert len(runs.run()) == 2
    do("UPDATE t SET v = 'changed' WHERE id = 1")
    assert runs.run() == []
    do("UPDATE t SET seen = 4 WHERE id = 2")
    assert [row[:2] for row in runs.run()] == [(2, 4)]


def test_values_at_infinity_hide_nothing(postgres, tmp_path):
    with psycopg.connect(postgres, autocommit=True) as con:
        con.execute("CREATE TABLE t (at timestamptz)")
        con.execute("INSERT INTO t VALUES ('infinity'), ('-infinity'), ('2024-01-01')")
        runs = Runs(tmp_path, {"postgres": {"url": postgres, "table": "t"}}, {"cursor": "at"})
        assert len(runs.run()) == 3
        con.execute("INSERT INTO t VALUES ('2024-01-02'), ('infinity'), ('-infinity')")
        assert len(runs.run()) == 3
        assert runs.run() == []


def test_rows_that_broke_a_rule_are_held_back_once(database, tmp_path):
    source, do = database
    do("CREATE TABLE t (id INTEGER, v INTEGER)")
    do("INSERT INTO t VALUES (1, 1), (2, -1), (2, 2), (2, 2)")
    contract = {"columns": {"id": {}, "v": {"at_least": 0}}}
    runs = Runs(tmp_path, source, {"cursor": "id", "lag": 9}, contract=contract)
    runs.run()
    assert runs.last is not None
    assert runs.last.quarantined == 1
    do("INSERT INTO t VALUES (2, -2)")
    assert runs.run() == []
    assert (runs.last.quarantined, runs.last.filtered) == (1, 4)
    assert [rule.rows for rule in runs.last.rules if rule.rows] == [1]


def test_a_key_is_judged_anew_only_for_new_rows(database, tmp_path):
    source, do = database
    do("CREATE TABLE t (id INTEGER, seen INTEGER)")
    do("INSERT INTO t VALUES (1, 5)")
    runs = Runs(tmp_path, source, {"cursor": "seen", "lag": 9}, contract={"columns": {"id": {"unique": True}}})
    assert runs.run() == [(1, 5)]
    do("INSERT INTO t VALUES (1, 6)")
    assert runs.run() == []
    assert runs.last is not None
    assert (runs.last.quarantined, runs.last.filtered) == (1, 1)


def test_too_many_rows_to_remember_are_refused_with_a_way_out(database, tmp_path, monkeypatch):
    source, do = database
    do("CREATE TABLE t (id INTEGER, v TEXT)")
    do("INSERT INTO t VALUES (1, 'a'), (1, 'b'), (1, 'c')")
    monkeypatch.setattr("headrace.business.processing.increments.MOST_KNOWN", 2)
    with pytest.raises(NonRetryableError, match="3 rows are so near to the highest `id`") as caught:
        Runs(tmp_path, source, {"cursor": "id"}).run()
    assert "`newest: wait`" in str(caught.value)


def test_a_cursor_that_changes_its_type_is_refused(tmp_path):
    (tmp_path / "t.csv").write_text("id\n1\n9\n")
    runs = Runs(tmp_path, {"file": {"path": "t.csv"}}, {"cursor": "id"})
    runs.run()
    (tmp_path / "t.csv").write_text("id\n1\n9\n10\nx\n")
    with pytest.raises(NonRetryableError, match="was of another type in earlier runs"):
        runs.run()


def test_what_a_contract_casts_is_compared_here(tmp_path):
    """The database would compare texts, in which 10 comes before 9."""
    with closing(sqlite3.connect(tmp_path / "data.db")) as con:
        con.execute("CREATE TABLE t (id TEXT)")
        con.executemany("INSERT INTO t VALUES (?)", [("8",), ("9",)])
        con.commit()
        contract = {"columns": {"id": {"type": "int64"}}}
        runs = Runs(tmp_path, {"sqlite": {"path": "data.db", "table": "t"}}, {"cursor": "id"}, contract=contract)
        assert runs.run() == [(8,), (9,)]
        con.execute("INSERT INTO t VALUES ('10')")
        con.commit()
        assert runs.run() == [(10,)]


@pytest.mark.parametrize(
    ("columns", "incremental", "said"),
    [
        ("id int, ok bool", {"cursor": "ok"}, "a cursor cannot be boolean"),
        ("id int", {"cursor": "id", "lag": "2 hours"}, "a lag in time needs a cursor that is a date or a timestamp, not int32"),
        ("at timestamp", {"cursor": "at", "lag": 5}, "a lag in numbers needs a cursor that is a number, not timestamp"),
        ("id numeric", {"cursor": "id"}, "`id` comes as text that does not sort as its values do"),
        ("id int4range", {"cursor": "id"}, "`id` comes as text that does not sort as its values do"),
        ("id int", {"cursor": "idd"}, "there is no column `idd`"),
    ],
)
def test_cursors_that_cannot_be_are_told_while_planning(postgres, tmp_path, columns, incremental, said):
    with psycopg.connect(postgres, autocommit=True) as con:
        con.execute(f"CREATE TABLE t ({columns})")  # type: ignore[call-overload]
    with pytest.raises(DefinitionError) as caught:
        Runs(tmp_path, {"postgres": {"url": postgres, "table": "t"}}, incremental).run()
    assert said in str(caught.value)


def test_taking_what_is_missing_for_deleted_is_refused(tmp_path):
    (tmp_path / "t.csv").write_text("id,v\n1,a\n")
    runs = Runs(tmp_path, {"file": {"path": "t.csv"}}, {"cursor": "id"})
    runs.written["sinks"] = [{"duckdb": {"path": "o.db", "table": "t", "mode": "scd2", "key": "id", "deleted": "close"}}]
    with pytest.raises(DefinitionError, match="every row that did not change would pass for deleted"):
        runs.run()


@pytest.mark.parametrize("name", ["d", "r", "n", "p", "nth", "rowid", "known of t", "left t"])
def test_a_column_may_have_any_name(tmp_path, name):
    (tmp_path / "t.csv").write_text(f'at,"{name}"\n1,a\n2,b\n')
    runs = Runs(tmp_path, {"file": {"path": "t.csv"}}, {"cursor": "at"})
    assert runs.run() == [(1, "a"), (2, "b")]
    (tmp_path / "t.csv").write_text(f'at,"{name}"\n1,a\n2,b\n2,c\n')
    assert runs.run() == [(2, "c")]


def test_digests_do_not_depend_on_the_engine(tmp_path):
    """They stand in ledgers, and a later version must find the same."""
    (tmp_path / "t.csv").write_text("id,v\n1,é\n")
    runs = Runs(tmp_path, {"file": {"path": "t.csv"}}, {"cursor": "id"})
    runs.run()
    digest = hashlib.md5('["1","é"]'.encode()).hexdigest()
    assert runs.position == f'{{"floor":"1","known":["{digest}"],"kind":"Integer"}}'
