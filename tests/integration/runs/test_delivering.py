"""Rows that a target takes in while they are staged: they count when the run says so, all or none, and whatever goes wrong with them
leaves a run that publishes in the usual way."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from tests.integration.runs.project import Project

from headrace.application.orchestrator import delivering, failpoints
from headrace.business.ports import Publication
from headrace.errors import AuditFailed
from headrace.infrastructure.connectors.postgres_delivery import PostgresDelivery

ROWS = 5_000
CONTRACT = {
    "columns": {"id": {"type": "int64"}, "name": {"type": "string"}, "price": {"type": "decimal(10, 2)", "at_least": 0}}
}
INSIDE = (
    "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%' OR query LIKE 'COPY%' AND state = 'active'"
)


def loading(project: Project, url: str, rows: int = ROWS, checks: Any = (), **sink: Any) -> Project:
    """One row of a hundred breaks a rule."""
    header = ["id", "name", "price"]
    project.data("in.csv", header, ((i, f"name {i}", -1 if i % 100 == 0 else f"{i % 50}.25") for i in range(rows)))
    target = {"name": "out", "postgres": {"url": url, "table": "target", "mode": "append", **sink}}
    return project.one(CONTRACT, sinks=[target], steps=[{"derive": {"double": "id * 2"}}], checks=list(checks))


def query(url: str, sql: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url, autocommit=True) as con:
        cursor = con.execute(sql.encode())
        return cursor.fetchall() if cursor.description else []


@pytest.fixture
def delivered(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Everything is worth it; what came of each delivery that was asked to count."""
    monkeypatch.setattr(delivering, "WORTH_IT", 1)
    outcomes: list[Any] = []
    ordinary = PostgresDelivery.publish

    def told(self: PostgresDelivery) -> Publication:
        try:
            outcomes.append(ordinary(self))
        except Exception as error:
            outcomes.append(type(error).__name__)
            raise
        return outcomes[-1]

    monkeypatch.setattr(PostgresDelivery, "publish", told)
    return outcomes


def at(point: str, deed: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failpoints, "reached", lambda reached: deed() if reached == point else None)


@pytest.mark.parametrize("mode", ["append", "replace"])
def test_rows_are_there_before_they_count(
    project: Project, postgres: str, mode: str, delivered: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    loading(project, postgres, mode=mode).run()
    project.text("in.csv", project.folder.joinpath("in.csv").read_text() + "7777777,last,1\n")
    seen: list[Any] = []
    at("audited", lambda: seen.extend([*query(postgres, "SELECT count(*) FROM target"), *query(postgres, INSIDE)]), monkeypatch)
    run = project.run()
    assert seen == [(ROWS * 99 // 100,), (1,)], "readers see the state before, and a transaction waits"
    good = ROWS * 99 // 100 + 1
    before = ROWS * 99 // 100 if mode == "append" else 0
    assert query(postgres, "SELECT count(*), count(*) FILTER (WHERE double = id * 2) FROM target") == [(before + good,) * 2]
    assert (run.sources["rows"]["quarantined"], len(delivered)) == (ROWS // 100, 2)
    assert isinstance(delivered[1], Publication)
    assert delivered[1].inserted == good
    assert project.run().unchanged, "the ledger knows of it"


def test_what_does_not_pass_its_audit_was_never_there(project: Project, postgres: str, delivered: list[Any]) -> None:
    loading(project, postgres, checks=[{"row_count": {"max": 10}}])
    with pytest.raises(AuditFailed):
        project.run()
    assert delivered == []
    assert query(postgres, "SELECT to_regclass('target')") == [(None,)]
    assert query(postgres, INSIDE) == [(0,)]


@pytest.mark.parametrize("point", ["data.staged", "audited"])
def test_a_connection_that_is_cut_costs_nothing_but_time(
    project: Project, postgres: str, point: str, delivered: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'headrace'"
    at(point, lambda: query(postgres, cut), monkeypatch)
    run = loading(project, postgres).run()
    assert query(postgres, "SELECT count(*) FROM target") == [(ROWS * 99 // 100,)]
    assert delivered == ["RetryableError"]
    assert [r["step"] for r in run.retries] == ["publishing out while staging"]


def test_a_server_that_refuses_a_row_says_so_as_ever(project: Project, postgres: str, delivered: list[Any]) -> None:
    query(
        postgres, "CREATE TABLE target (id bigint, name text CHECK (name <> 'name 4999'), price numeric(10,2), double bigint)"
    )
    with pytest.raises(Exception, match="check constraint"):
        loading(project, postgres).run()
    assert delivered == ["NonRetryableError"]
    assert query(postgres, "SELECT count(*) FROM target") == [(0,)]


def test_who_is_in_the_way_is_waited_for_when_it_is_time_to_publish(
    project: Project, postgres: str, delivered: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    query(postgres, "CREATE TABLE target (id bigint, name text, price numeric(10,2), double bigint)")
    with psycopg.connect(postgres) as other:
        other.execute("LOCK TABLE target IN SHARE ROW EXCLUSIVE MODE")
        at("audited", other.rollback, monkeypatch)
        loading(project, postgres).run()
    assert delivered == []
    assert query(postgres, "SELECT count(*) FROM target") == [(ROWS * 99 // 100,)]


@pytest.mark.parametrize(
    ("table", "options"),
    [
        ("id bigint, name text, price numeric(10,2)", {}),  # a column would have to be added, for which readers wait
        ("id numeric, name text, price numeric, double bigint", {}),
        (None, {"mode": "merge", "key": "id"}),
    ],
)
def test_where_nothing_is_to_be_gained_nothing_is_begun(
    project: Project, postgres: str, table: str | None, options: dict[str, Any], delivered: list[Any]
) -> None:
    if table:
        query(postgres, f"CREATE TABLE target ({table})")
    loading(project, postgres, **options).run()
    assert delivered == []
    assert query(postgres, "SELECT count(*) FROM target") == [(ROWS * 99 // 100,)]


@pytest.mark.parametrize(("deed", "code"), [("kill", -9), ("interrupt", 1)])
def test_a_process_that_ends_on_the_way_leaves_nothing(project: Project, postgres: str, deed: str, code: int) -> None:
    rows = delivering.WORTH_IT + 5_000
    loading(project, postgres, rows)
    command = [sys.executable, "-m", "headrace", "run", "--quiet", str(project.file)]
    environment = {**os.environ, failpoints.VARIABLE: f"staged={deed}"}
    dying = subprocess.run(command, cwd=project.folder, env=environment, check=False, capture_output=True)
    assert dying.returncode == code, dying.stderr
    assert query(postgres, "SELECT to_regclass('target')") == [(None,)]
    done = subprocess.run(command, cwd=project.folder, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert query(postgres, "SELECT count(*), count(DISTINCT id) FROM target") == [(rows * 99 // 100,) * 2]
