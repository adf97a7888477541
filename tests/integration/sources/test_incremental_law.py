"""The law of sources that are read by cursor, against writers that commit when they like: whatever the order of commits and runs,
once all is committed and read, every row has come once."""

from __future__ import annotations

import sqlite3
import tempfile
from collections import Counter
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.integration.postgres_server import PostgresServer
from tests.integration.sources.incrementally import Runs

LAG = 3
QUICK = settings(
    max_examples=7, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)

#: A row comes this far from the highest value so far; None for a row without a value. `run` reads.
arrivals = st.lists(st.one_of(st.just("run"), st.integers(-LAG, 2), st.none()), max_size=16)


@QUICK
@given(steps=arrivals, alike=st.booleans())
def test_rows_within_the_lag_come_once_each_from_sqlite(steps: list[Any], alike: bool) -> None:
    with tempfile.TemporaryDirectory() as folder, closing(sqlite3.connect(Path(folder) / "t.db", isolation_level=None)) as con:
        con.execute("CREATE TABLE t (at INTEGER, v INTEGER)")
        runs = Runs(Path(folder), {"sqlite": {"path": "t.db", "table": "t"}}, {"cursor": "at", "lag": LAG})
        highest = 10
        for number, step in enumerate(steps):
            if step == "run":
                runs.run()
                continue
            value = None if step is None else highest + step
            highest = max(highest, value or 0)
            con.execute("INSERT INTO t VALUES (?, ?)", (value, 0 if alike else number))
        runs.run()
        assert Counter(runs.delivered) == Counter(con.execute("SELECT at, v FROM t").fetchall())
        near = con.execute("SELECT count(*) FROM t WHERE at IS NULL OR at >= (SELECT max(at) FROM t) - ?", (LAG,)).fetchone()[0]
        assert runs.known == near


WRITERS = 3
#: What a writer does next, in a transaction that it opens when it has none; or a run.
moves = st.lists(
    st.one_of(
        st.just(("run", 0)), st.tuples(st.sampled_from(["insert", "insert", "commit", "rollback"]), st.integers(0, WRITERS - 1))
    ),
    max_size=20,
)


@pytest.fixture(scope="module")
def url(postgres_server: PostgresServer) -> str:
    return postgres_server.new_database()


@QUICK
@given(moves=moves)
@pytest.mark.parametrize("cursor", ["transaction", "sequence", "coarse"])
def test_whenever_transactions_commit_their_rows_come_once_each(url: str, cursor: str, moves: list[tuple[str, int]]) -> None:
    """By the number of the transaction nothing need be known of how long one takes. By any other value the lag has to cover it."""
    incremental = {
        "transaction": {"cursor": "transaction"},
        "sequence": {"cursor": "id", "lag": 1000},
        "coarse": {"cursor": "coarse", "lag": "1 hour"},
    }[cursor]
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        admin = stack.enter_context(psycopg.connect(url, autocommit=True))
        admin.execute("DROP TABLE IF EXISTS t")
        admin.execute(
            "CREATE TABLE t (id serial, transaction xid8 DEFAULT pg_current_xact_id(), coarse timestamptz DEFAULT date_trunc('minute', now()))"
        )
        writers = [stack.enter_context(psycopg.connect(url)) for _ in range(WRITERS)]
        runs = Runs(Path(folder), {"postgres": {"url": url, "table": "t"}}, incremental)
        for move, writer in moves:
            if move == "run":
                runs.run()
            elif move == "insert":
                writers[writer].execute("INSERT INTO t DEFAULT VALUES")
            else:
                getattr(writers[writer], move)()
        for connection in writers:
            connection.commit()
        runs.run()
        expected = [row[0] for row in admin.execute("SELECT id FROM t").fetchall()]
        assert sorted(row[0] for row in runs.delivered) == sorted(expected)
        if cursor == "transaction":
            last = admin.execute("SELECT count(*) FROM t WHERE transaction = (SELECT max(transaction) FROM t)").fetchone()
            assert last is not None
            assert runs.known == (last[0] if expected else 0)
