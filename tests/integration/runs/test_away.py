"""A source whose server is down while it is looked at: a run tries again as its definition says; what is wrong is told at once."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator

import psycopg
import pytest
from tests.integration.postgres_server import PostgresServer
from tests.integration.runs.project import Project
from tests.integration.runs.test_control import latest, work

from headrace.application.orchestrator.breakers import FAILURES
from headrace.errors import DefinitionError

AWAY = "postgresql://me:hush@127.0.0.1:1/x"


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    with PostgresServer.running() as server:
        with psycopg.connect(server.url()) as connection:
            connection.execute("CREATE TABLE orders AS SELECT 1 AS id")
        yield server


def reading(project: Project, url: str, table: str = "orders", attempts: int = 3, **parts: object) -> Project:
    retry = {"attempts": attempts, "base_delay": "1 second", "max_delay": "1 second", "budget": "1 hour"}
    source = {"postgres": {"url": url, "table": table}}
    return project.define(sources={"orders": source}, sinks=[{"name": "out", "file": "out.csv"}], retry=retry, **parts)


def test_a_worker_tries_again_and_tells_of_it(project: Project) -> None:
    reading(project, AWAY, attempts=2)
    assert project.cli("run", str(project.file), "--detach") == 0
    with pytest.raises(Exception, match="orders"):
        work(project)
    run = latest(project)
    assert run.error is not None
    assert (run.state, run.error["error"], [r["step"] for r in run.retries]) == ("failed", "SourceAway", ["looking at orders"])
    assert "hush" not in json.dumps(run.error)


def test_a_worker_leaves_a_system_alone_that_fails_again_and_again(project: Project) -> None:
    reading(project, AWAY, attempts=99)
    project.file.write_text(project.file.read_text().replace("1 second", "0 seconds"))
    assert project.cli("run", str(project.file), "--detach") == 0
    work(project)
    run = latest(project)
    assert (run.state, len(run.retries)) == ("waiting", FAILURES)
    assert "the circuit breaker before postgres://127.0.0.1:1 is open" in run.reason


def test_a_command_tries_again_in_sight_until_the_server_is_back(
    project: Project, server: PostgresServer, capfd: pytest.CaptureFixture[str]
) -> None:
    reading(project, server.url(), attempts=500)
    server.crash()
    back = threading.Thread(target=lambda: (_until_retried(project), server.resume()))
    back.start()
    try:
        assert project.cli("run", str(project.file)) == 0
    finally:
        back.join()
    assert "looking at orders" in capfd.readouterr().err
    assert (project.folder / "out.csv").read_text().splitlines() == ["id", "1"]
    assert latest(project).retries


def test_what_is_wrong_is_told_at_once_and_makes_no_run(project: Project, server: PostgresServer) -> None:
    for url, table in ((server.url(), "ordres"), (server.url("nowhere"), "orders")):
        reading(project, url, table)
        with pytest.raises(DefinitionError, match=r"pipeline.yaml:\d+:\d+"):
            project.run()
    away = {"away": {"postgres": {"url": AWAY, "table": "t"}}, "wrong": {"file": {"path": "nothing.csv"}}}
    project.define(sources=away, sinks=[{"name": "out", "from": "away", "file": "out.csv"}])
    with pytest.raises(DefinitionError) as told:
        project.run()
    assert len(told.value.problems) == 2, "one that is wrong and one that is away are told together"
    assert not list(project.store.read())


STREAM = """\
pipeline: p
retry: {attempts: 1}
sources:
  events:
    SOURCE
    contract:
      columns: {id: int64}
sinks:
  - file: {path: out, format: parquet, mode: append}
"""


@pytest.mark.parametrize(
    ("source", "sink", "place"),
    [
        ("redis: {url: 'redis://127.0.0.1:1/0', stream: events, field: payload}", "", "5:12"),
        ("tail: {path: in.jsonl}", f"  - postgres: {{url: '{AWAY}', table: t, mode: append}}\n", "10:15"),
    ],
)
def test_a_server_that_a_stream_does_not_reach_is_told_at_its_place(
    source: str, sink: str, place: str, project: Project, capfd: pytest.CaptureFixture[str]
) -> None:
    project.file.write_text(STREAM.replace("SOURCE", source) + sink)
    (project.folder / "in.jsonl").write_text('{"id": 1}\n')
    assert project.cli("run", "--quiet", str(project.file)) == 1
    assert f"{project.file}:{place}: " in capfd.readouterr().err


def test_a_sink_whose_server_is_down_is_told_at_its_place(project: Project, capfd: pytest.CaptureFixture[str]) -> None:
    (project.folder / "in.csv").write_text("id\n1\n")
    text = f"pipeline: p\nretry: {{attempts: 1}}\nsources:\n  rows: {{file: in.csv}}\nsinks:\n  - postgres: {{url: '{AWAY}', table: t}}\n"
    project.file.write_text(text)
    assert project.cli("run", "--quiet", str(project.file)) == 1
    assert f"{project.file}:6:15: " in capfd.readouterr().err


def test_looking_and_planning_take_one_try_and_name_the_place(project: Project, capfd: pytest.CaptureFixture[str]) -> None:
    reading(project, AWAY, attempts=99)
    begun = time.monotonic()
    for command, more in (("plan", ()), ("validate", ()), ("validate", ("--json",))):
        assert project.cli(command, str(project.file), *more) == 1
        said = "".join(capfd.readouterr())
        assert f"{project.file.name}:6:" in said, said
        assert "hush" not in said
    assert time.monotonic() - begun < 60, "99 attempts a second apart would take longer"


def _until_retried(project: Project) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if project.store.database.exists() and list(project.store.read(types=("pipeline.retried/1",))):
            return
        time.sleep(0.05)
