"""A server that rolls a publication back: what passes is tried again until it is through, what does not ends the run, and nothing is doubled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pymysql
import pytest
from tests.integration.pushdown.both import engine_of
from tests.integration.runs.project import Project

from headrace.errors import NonRetryableError, RetryableError

ROWS = 50
AGAIN = {"attempts": 4, "base_delay": "10 ms", "max_delay": "20 ms"}
#: A conflict, a deadlock, a full disk, a lock that is not given, a statement that was stopped.
PASSING = ["40001", "40P01", "53100", "55P03", "57014"]
#: By number, whether it passes: a deadlock, a lock that is not given, a full disk; a right that is missing.
MYSQL = {1213: True, 1205: True, 1021: True, 1142: False}


def define(project: Project, engine: str, sink: dict[str, Any]) -> Project:
    project.data("in.csv", ["id", "v"], [[i, f"v{i}"] for i in range(ROWS)])
    contract = {"columns": {"id": "int64", "v": "string"}}
    return project.one(contract, engine=engine, retry=AGAIN, sinks=[{"name": "out", **sink}])


def refusing_postgres(url: str, state: str, times: int) -> None:
    """A table that refuses its first rows so many times. Only a sequence keeps count through a rollback."""
    with psycopg.connect(url, autocommit=True) as db:
        db.execute("CREATE TABLE target (id bigint, v text)")
        db.execute("CREATE SEQUENCE tries")
        db.execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "  # type: ignore[call-overload]
            f"IF nextval('tries') <= {times} THEN RAISE EXCEPTION 'not now' USING ERRCODE = '{state}'; END IF; RETURN NEW; END $$"
        )
        db.execute("CREATE TRIGGER t BEFORE INSERT ON target FOR EACH ROW EXECUTE FUNCTION refuse()")


def left_in_postgres(url: str) -> tuple[int, int]:
    """The rows of the target, and how many tables there are that a run has forgotten."""
    with psycopg.connect(url) as db:
        rows = db.execute("SELECT count(*) FROM target").fetchall()[0][0]
        litter = db.execute(
            "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE relkind = 'r' AND nspname = 'headrace_staging'"
        )
        return int(rows), int(litter.fetchall()[0][0])


@pytest.mark.parametrize(("engine", "state"), [*(("duckdb", s) for s in PASSING), ("postgres", "40001"), ("postgres", "53100")])
def test_what_passes_is_tried_again_until_postgres_takes_it(engine: str, state: str, postgres: str, tmp_path: Path) -> None:
    refusing_postgres(postgres, state, 2)
    project = define(
        engine_of(tmp_path, postgres), engine, {"postgres": {"url": postgres, "table": "target", "mode": "append"}}
    )
    assert project.run().state == "succeeded"
    assert left_in_postgres(postgres) == (ROWS, 0)


@pytest.mark.parametrize("engine", ["duckdb", "postgres"])
def test_what_stays_so_ends_the_run_and_the_next_has_it_once(engine: str, postgres: str, tmp_path: Path) -> None:
    refusing_postgres(postgres, "53100", AGAIN["attempts"])
    project = define(
        engine_of(tmp_path, postgres), engine, {"postgres": {"url": postgres, "table": "target", "mode": "append"}}
    )
    with pytest.raises(RetryableError, match="not now"):
        project.run()
    assert left_in_postgres(postgres)[0] == 0
    assert project.run().state == "succeeded"
    assert left_in_postgres(postgres) == (ROWS, 0)


@pytest.mark.parametrize(("engine", "state"), [("duckdb", "23514"), ("postgres", "42501")])
def test_what_does_not_pass_is_asked_once(engine: str, state: str, postgres: str, tmp_path: Path) -> None:
    refusing_postgres(postgres, state, 1)
    project = define(
        engine_of(tmp_path, postgres), engine, {"postgres": {"url": postgres, "table": "target", "mode": "append"}}
    )
    with pytest.raises(NonRetryableError, match="not now") as caught:
        project.run()
    assert caught.value.hint
    assert left_in_postgres(postgres)[0] == 0


def refusing_mysql(server: Any, url: str, number: int, times: int) -> None:
    database = url.rpartition("/")[2]
    server.ask("CREATE TABLE target (id bigint, v text)", database=database)
    server.ask("CREATE SEQUENCE tries NOCACHE", database=database)
    server.ask(
        "CREATE TRIGGER t BEFORE INSERT ON target FOR EACH ROW "
        f"IF NEXTVAL(tries) <= {times} THEN SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = {number}, MESSAGE_TEXT = 'not now'; END IF",
        database=database,
    )


@pytest.mark.parametrize("number", MYSQL)
def test_mysql_is_asked_again_when_it_passes(number: int, mysql_server: Any, mysql: str, project: Project) -> None:
    refusing_mysql(mysql_server, mysql, number, 2)
    define(project, "duckdb", {"mysql": {"url": mysql, "table": "target", "mode": "append"}})
    if MYSQL[number]:
        assert project.run().state == "succeeded"
    else:
        with pytest.raises(NonRetryableError, match="not now"):
            project.run()
    with pymysql.connect(**place(mysql_server, mysql)) as db, db.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM target")
        assert cursor.fetchall() == ((ROWS if MYSQL[number] else 0,),)


def place(server: Any, url: str) -> dict[str, Any]:
    return {"unix_socket": f"{server.folder}/socket", "user": "root", "database": url.rpartition("/")[2]}
