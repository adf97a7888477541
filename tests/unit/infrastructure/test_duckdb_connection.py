"""Whoever waits for a statement hears signals at once, whatever DuckDB's threads are at; and the connection can be used afterwards."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator

import duckdb
import pyarrow as pa
import pytest

from headrace.infrastructure.duckdb_connection import Connection, connect

#: Minutes of work, of which one thread waits for another where there are several.
LONG = "SELECT count(*) AS n FROM rows a JOIN rows b ON a.x % 7 = b.x % 5 JOIN rows c ON b.x % 3 = c.x % 2"


@pytest.fixture(params=[1, 4])
def con(request: pytest.FixtureRequest) -> Iterator[Connection]:
    with connect(threads=request.param) as con:
        con.execute("CREATE TABLE rows AS SELECT range AS x FROM range(60000)")
        yield con


def press() -> None:
    os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize("after", [0.0, 0.01, 0.1, 0.3, 0.7])
def test_an_interruption_ends_the_statement_and_not_the_connection(con: Connection, after: float) -> None:
    timer = threading.Timer(after, press)
    with pytest.raises(KeyboardInterrupt):
        interrupted(con, timer)
    assert con.execute("SELECT count(*) FROM rows").fetchall() == [(60000,)]


def interrupted(con: Connection, timer: threading.Timer) -> None:
    timer.start()
    con.execute(f"CREATE TABLE never AS {LONG}", progress=lambda _percent: None)


def test_rows_that_are_still_being_made_are_waited_for_as_attentively(con: Connection) -> None:
    threading.Timer(0.2, press).start()
    with pytest.raises(KeyboardInterrupt):
        list(con.arrow_batches(LONG, 1000)[1])
    assert con.arrow_table("SELECT 1 AS one").to_pylist() == [{"one": 1}]


def test_another_thread_ends_a_statement_with_duckdbs_own_error(con: Connection) -> None:
    threading.Timer(0.3, con.interrupt).start()
    with pytest.raises(duckdb.InterruptException):
        con.execute(LONG).fetchall()


def test_a_handler_that_does_without_an_exception_is_called_while_the_statement_works_on(con: Connection) -> None:
    heard = threading.Event()
    before = signal.signal(signal.SIGINT, lambda _number, _frame: heard.set())
    try:
        pressed = threading.Timer(0.05, press)
        pressed.start()
        threading.Thread(target=lambda: heard.wait(60) and con.interrupt()).start()  # it would work for minutes
        with pytest.raises(duckdb.InterruptException):
            con.execute(LONG)
        pressed.join()
    finally:
        signal.signal(signal.SIGINT, before)
    assert heard.is_set()


def test_what_a_statement_reads_is_made_by_the_caller(con: Connection) -> None:
    makers = set()

    def made() -> Iterator[pa.RecordBatch]:
        for number in range(5):
            makers.add(threading.current_thread())
            yield pa.record_batch({"x": [number]})

    reader = pa.RecordBatchReader.from_batches(pa.schema({"x": pa.int64()}), con.by_the_caller(made()))
    con.register("arriving", reader)
    assert con.execute("SELECT sum(x) FROM arriving").fetchall() == [(10,)]
    assert makers == {threading.current_thread()}


def test_the_maker_can_be_interrupted_where_it_sleeps(con: Connection) -> None:
    def made() -> Iterator[pa.RecordBatch]:
        yield pa.record_batch({"x": [1]})
        threading.Timer(0.1, press).start()
        threading.Event().wait(600)
        yield pa.record_batch({"x": [2]})

    reader = pa.RecordBatchReader.from_batches(pa.schema({"x": pa.int64()}), con.by_the_caller(made()))
    con.register("arriving", reader)
    with pytest.raises(KeyboardInterrupt):
        con.execute("CREATE TABLE arrived AS SELECT * FROM arriving")
    con.unregister("arriving")
    assert con.execute("SELECT 1").fetchall() == [(1,)]


def test_an_error_of_the_maker_ends_the_statement(con: Connection) -> None:
    def made() -> Iterator[pa.RecordBatch]:
        yield pa.record_batch({"x": [1]})
        raise ValueError("no more of these")

    reader = pa.RecordBatchReader.from_batches(pa.schema({"x": pa.int64()}), con.by_the_caller(made()))
    con.register("arriving", reader)
    with pytest.raises(duckdb.Error, match="no more of these"):
        con.execute("CREATE TABLE arrived AS SELECT * FROM arriving")


def test_a_closed_connection_leaves_no_thread(con: Connection) -> None:
    with connect() as other:
        other.execute("SELECT 1")
        thread = next(t for t in reversed(threading.enumerate()) if t.name == "headrace-duckdb")
    thread.join(10)
    assert not thread.is_alive()
