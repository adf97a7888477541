"""A table of PostgreSQL that is read over several connections: every row once, all of one moment, and an end to it when one fails."""

from __future__ import annotations

import threading

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from headrace.errors import NonRetryableError, RetryableError
from headrace.infrastructure.connectors.postgres_source import PostgresSource, page_ranges
from headrace.infrastructure.connectors.side_by_side import side_by_side


@pytest.fixture
def table(postgres: str) -> str:
    """The address of a database whose table `t` has many pages, some of them empty."""
    with psycopg.connect(postgres, autocommit=True) as con:
        con.execute("CREATE TABLE t AS SELECT i AS id, repeat('x', 500) AS v FROM generate_series(1, 12000) i")
        con.execute("DELETE FROM t WHERE id BETWEEN 4000 AND 6000")
    return postgres


def ids(batches) -> list[int]:
    return sorted(i for batch in batches for i in batch.column("id").to_pylist())


def test_every_row_comes_once(table, tmp_path):
    scan = PostgresSource(url=table, table="t", parallel=4).scan(tmp_path)
    wanted = [i for i in range(1, 12001) if not 4000 <= i <= 6000]
    assert ids(scan.open()) == wanted
    assert ids(scan.by_cursor("id", "11990").open()) == wanted[-11:]


def test_a_table_with_nothing_in_it_gives_nothing(postgres, tmp_path):
    with psycopg.connect(postgres, autocommit=True) as con:
        con.execute("CREATE TABLE t (id int)")
    assert ids(PostgresSource(url=postgres, table="t", parallel=4).scan(tmp_path).open()) == []


def test_all_rows_are_of_one_moment(table, tmp_path):
    batches = PostgresSource(url=table, table="t", parallel=3).scan(tmp_path).open()
    first = next(batches)
    with psycopg.connect(table, autocommit=True) as con:
        con.execute("DELETE FROM t WHERE id % 2 = 0")
        con.execute("INSERT INTO t SELECT i, 'new' FROM generate_series(20000, 30000) i")
    assert len(ids([first, *batches])) == 9999


def test_leaving_early_ends_every_reader(table, tmp_path):
    batches = PostgresSource(url=table, table="t", parallel=3).scan(tmp_path).open()
    next(batches)
    batches.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("headrace-read")]


def test_the_error_of_one_reader_is_that_of_all(table, tmp_path):
    with psycopg.connect(table, autocommit=True) as con:
        con.execute("ALTER TABLE t ADD n int[]")
        con.execute("UPDATE t SET n = '{{1,2},{3,4}}' WHERE id = 11999")
    with pytest.raises(NonRetryableError, match="several dimensions"):
        list(PostgresSource(url=table, table="t", parallel=3).scan(tmp_path).open())
    assert not [t for t in threading.enumerate() if t.name.startswith("headrace-read")]


def test_readers_that_nobody_listens_to_stop_waiting():
    def endless(_range: str):
        while True:
            yield "batch"

    def failing(_range: str):
        yield "batch"
        raise RetryableError("cut")

    found = side_by_side(["a", "b"], endless)
    assert next(found) == "batch"
    found.close()
    with pytest.raises(RetryableError, match="cut"):
        list(side_by_side(["a", "b", "c"], failing))


def test_what_has_no_pages_is_refused_while_planning(table, tmp_path):
    with psycopg.connect(table, autocommit=True) as con:
        con.execute("CREATE VIEW seen AS SELECT * FROM t")
    with pytest.raises(NonRetryableError, match="`seen` is no plain table"):
        PostgresSource(url=table, table="seen", parallel=2).scan(tmp_path)
    with pytest.raises(ValidationError, match="`parallel` parts a table"):
        PostgresSource(url=table, query="SELECT 1 AS id", parallel=2)


@given(pages=st.integers(0, 10_000), parts=st.integers(1, 64))
def test_ranges_part_all_pages_without_gap_or_overlap(pages, parts):
    ranges = page_ranges(pages, parts)
    assert 1 <= len(ranges) <= parts
    lows = [int(r.split("'(")[1].split(",")[0]) for r in ranges]
    highs = [int(r.split("'(")[2].split(",")[0]) for r in ranges[:-1]]
    assert lows[0] == 0
    assert highs == lows[1:]
    assert lows == sorted(set(lows))
