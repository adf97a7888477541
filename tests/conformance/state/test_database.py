"""Writing to the state database: all or nothing, whatever breaks, on every database; and what PostgreSQL's connections do when cut."""

from __future__ import annotations

import socket

import psycopg
import pytest
from tests.integration.postgres_server import PostgresServer

from headrace.bus.events import PipelineStartedEvent
from headrace.errors import HeadraceError, NonRetryableError, RetryableError
from headrace.infrastructure.storage.database import Database, Transaction
from headrace.infrastructure.storage.event_log import EventLog, append_in
from headrace.infrastructure.storage.postgres_database import PostgresDatabase

KEY = "insert into run_keys (key, run_id, at) values (:key, :run_id, '')"


def keys(database: Database) -> list[tuple[str, str]]:
    with database.reading() as db:
        return [(key, run_id) for key, run_id in db.rows("select key, run_id from run_keys order by key")]


def test_what_fails_unasked_fails_the_whole_transaction(database: Database) -> None:
    def act(db: Transaction) -> str:
        for run_id in ("first", "second"):
            db.put(KEY, {"key": "same", "run_id": run_id})
        return "done"

    with pytest.raises(HeadraceError):
        database.write(act)
    assert keys(database) == []
    database.write(lambda db: db.put(KEY, {"key": "same", "run_id": "third"}))
    assert keys(database) == [("same", "third")]


def test_what_was_put_is_seen_by_the_next_question(database: Database) -> None:
    def act(db: Transaction) -> tuple[int, int]:
        db.insert("run_keys", [{"key": str(i), "run_id": "r", "at": ""} for i in range(3)])
        changed = db.run("update run_keys set run_id = 's' where key <> :key", {"key": "0"})
        return changed, len(db.rows("select 1 from run_keys where run_id = 's'"))

    assert database.write(act) == (2, 2)


def test_rows_come_back_as_they_were_put(database: Database) -> None:
    odd = """'"\\ \n\t\\u0041 é 😀 %s :name {} $1 \u2028"""
    values = {"pipeline": odd, "position": 2**62, "schedule": "", "covered": None}
    plain = {**values, "pipeline": "plain", "covered": "null"}
    database.write(lambda db: db.insert("watches", [values, plain]))
    with database.reading() as db:
        query = f"select {', '.join(values)} from watches order by pipeline"
        assert [tuple(row) for row in db.rows(query)] == [tuple(values.values()), tuple(plain.values())]


def test_a_refusal_leaves_nothing_and_the_database_at_work(database: Database) -> None:
    def refuse(db: Transaction) -> None:
        db.put(KEY, {"key": "k", "run_id": "r"})
        raise NonRetryableError("no")

    with pytest.raises(NonRetryableError, match="no"):
        database.write(refuse)
    assert keys(database) == []


@pytest.fixture
def url(postgres_server: PostgresServer) -> str:
    return postgres_server.new_database()


def cut_off(db: Transaction, url: str) -> None:
    (mine,) = db.rows("select pg_backend_pid()")[0]
    with psycopg.connect(url, autocommit=True) as other:
        other.execute("select pg_terminate_backend(%s, 5000)", (mine,))


@pytest.mark.parametrize("when", ["before it asks", "before it commits"])
def test_a_connection_that_is_cut_is_mended_and_nothing_is_done_twice(
    url: str, when: str, capfd: pytest.CaptureFixture[str]
) -> None:
    database, tried = PostgresDatabase(lambda: url, "postgres"), []

    def act(db: Transaction) -> int:
        tried.append(len(tried))
        if len(tried) == 1 and when == "before it asks":
            cut_off(db, url)
        append_in(db, "r", [PipelineStartedEvent("r")])
        if len(tried) == 1 and when == "before it commits":
            cut_off(db, url)
        return len(tried)

    try:
        assert database.write(act, lambda _db: None) == 2
        assert [(e.position, e.stream) for e in EventLog(database).read()] == [(1, "r")]
        assert EventLog(database).verify().fault is None
    finally:
        database.close()
    assert capfd.readouterr().err == ""


def test_questions_are_all_asked_again_when_the_connection_is_cut_between_them(url: str) -> None:
    database, tried = PostgresDatabase(lambda: url, "postgres"), []

    def look(db: Transaction) -> tuple[int, int]:
        before = len(db.rows("select 1 from run_keys"))
        tried.append(before)
        if len(tried) == 1:
            cut_off(db, url)
            with psycopg.connect(url, autocommit=True) as other:
                other.execute("insert into headrace.run_keys (key, run_id, at) values ('k', 'r', '')")
        return before, len(db.rows("select 1 from run_keys"))

    try:
        assert database.read(look) == (1, 1), "both answers are of one state"
        assert tried == [0, 1]
    finally:
        database.close()


def test_a_commit_of_which_the_answer_was_lost_is_looked_for_and_not_done_again(url: str) -> None:
    database = PostgresDatabase(lambda: url, "postgres")

    def act(db: Transaction) -> str:
        db.put(KEY, {"key": "k", "run_id": "r"})
        db.put("commit")  # it happens, and then the connection goes away before it is known here
        cut_off(db, url)
        return "done"

    try:
        assert database.write(act, lambda db: "found" if db.rows("select 1 from run_keys") else None) == "found"
        assert keys(database) == [("k", "r")]
    finally:
        database.close()


def test_a_command_hears_soon_that_there_is_no_server() -> None:
    """With a first patience of nothing, one attempt is all; were it the usual minute, this test would hang for as long."""
    with socket.socket() as taken:  # bound and not listening, so that nobody answers there
        taken.bind(("127.0.0.1", 0))
        away = PostgresDatabase(lambda: f"postgresql://nobody@127.0.0.1:{taken.getsockname()[1]}/none", "there", 0.0)
        with pytest.raises(RetryableError, match="the state database there cannot be reached"), away.reading() as db:
            db.rows("select 1")
