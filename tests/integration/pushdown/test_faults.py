"""A run inside a database that is cut off, killed, or not let in: the target is as before or complete, and nothing is left lying about."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.faults.processes import crew
from tests.integration.postgres_server import PostgresServer
from tests.integration.pushdown.both import engine_of
from tests.integration.pushdown.test_inside import asked, filled
from tests.integration.runs.project import Project

from headrace import bootstrap
from headrace.application.orchestrator import failpoints
from headrace.application.queries.runs import all_runs
from headrace.errors import DefinitionError, HeadraceError, NonRetryableError, RetryableError, StagingLost

ROWS = 2000
LEFT = "SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace('headrace_staging') AND relkind = 'r'"
#: Where the process dies: behind the loading, with staged rows, behind the commit. (In the transaction of the target: see below.)
POINTS = ["data.validated", "staged", "sink committed"]


def define(folder: Path, url: str, **parts: Any) -> Project:
    project = engine_of(folder, url)
    project.data("in.csv", ["id", "v"], [[i if i % 100 else "bad", f"v{i}"] for i in range(ROWS)])
    project.define(**{
        "engine": "postgres",
        "sources": {"rows": {"file": {"path": "in.csv"}, "contract": {"columns": {"id": {"type": "int64", "unique": True}}}}},
        "steps": [{"derive": {"twice": "id * 2"}}],
        "checks": [{"row_count": {"min": 1}}],
        "sinks": [{"name": "target", "postgres": {"url": url, "table": "target", "mode": "append"}}],
        **parts,
    })  # fmt: skip
    return project


def started(project: Project, *arguments: str, **env: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "headrace", *arguments]
    return subprocess.run(
        command, capture_output=True, check=False, cwd=project.folder, env={**os.environ, "NO_COLOR": "1", **env}
    )


def complete(url: str, target: str = "target") -> bool:
    wanted = (ROWS - ROWS // 100, 2 * sum(i for i in range(ROWS) if i % 100))
    return asked(url, f"SELECT count(*), sum(twice) FROM {target}") == [wanted]


def test_a_run_that_is_killed_anywhere_is_brought_to_its_end_by_a_later_one(tmp_path: Path, postgres: str) -> None:
    project = define(tmp_path, postgres)
    for point in POINTS:
        died = started(project, "run", "--quiet", str(project.file), **{failpoints.VARIABLE: point})
        assert died.returncode == -signal.SIGKILL, (point, died.stderr.decode())
    project.run()
    assert complete(postgres)
    assert asked(postgres, LEFT) == []


def test_a_run_is_gone_on_with_from_the_staged_table(tmp_path: Path, postgres: str) -> None:
    """Whoever takes it over reads, judges and stages nothing again."""
    project = define(tmp_path, postgres)
    assert started(project, "run", "--detach", str(project.file)).returncode == 0
    run_id = all_runs(project.store)[0].id
    with crew(tmp_path) as processes:
        worker = processes.dying_at("staged,sink rows written")
        processes.until(lambda: not bootstrap.site(tmp_path).queue.outstanding())
        worker.stop()
    kinds = [event.kind for event in project.store.read(run_id)]
    assert [kinds.count(kind) for kind in ("data.ingested", "data.staged", "pipeline.resumed", "pipeline.completed")] == [
        1,
        1,
        2,
        1,
    ]
    assert complete(postgres)
    assert asked(postgres, LEFT) == []


@pytest.mark.parametrize("point", ["ingested", "staged", "before publishing target"])
def test_a_connection_that_is_cut_is_an_error_that_passes(
    point: str, tmp_path: Path, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every backend is ended once. The run goes on by a new connection, or ends and the next has the result as if nothing had been."""
    project = define(tmp_path, postgres)
    cut: list[int] = []

    def reached(here: str) -> None:
        if here == point and not cut:
            cut.append(1)
            asked(
                postgres,
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
            )

    monkeypatch.setattr(failpoints, "reached", reached)
    with suppress(RetryableError):
        project.run()
    project.run()
    assert cut
    assert complete(postgres)
    assert asked(postgres, LEFT) == []


def test_a_connection_that_is_cut_while_it_loads_is_opened_anew(tmp_path: Path, postgres: str) -> None:
    project = define(tmp_path, postgres, retry={"attempts": 5, "base_delay": "100 ms", "max_delay": "200 ms"})
    project.data("in.csv", ["id", "v"], [[i if i % 100 else "bad", f"v{i}" * 20] for i in range(120_000)])
    done = threading.Event()
    cut: list[int] = []

    def cutter() -> None:
        with psycopg.connect(postgres, autocommit=True) as db:
            while not done.is_set() and not cut:
                found = db.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'COPY%'"
                ).fetchall()
                cut.extend(1 for _ in found)
                time.sleep(0.002)

    thread = threading.Thread(target=cutter)
    thread.start()
    try:
        run = project.run()
    finally:
        done.set()
        thread.join()
    assert run.state == "succeeded"
    assert cut == [] or run.retries, "what was cut was tried again"
    assert asked(postgres, "SELECT count(*) FROM target") == [(120_000 - 1200,)]
    assert asked(postgres, LEFT) == []


#: Where the server crashes: with the rows checked, staged, audited, and behind the first of two targets. Each time the run has more to lose.
CRASHES = ["ingested", "staged", "audited", "before publishing second", "told of first"]


@pytest.fixture(scope="module")
def fragile() -> Iterator[PostgresServer]:
    """A server of its own, since it is to crash."""
    with PostgresServer.running() as server:
        yield server


@pytest.mark.parametrize("point", CRASHES)
def test_a_run_whose_staging_is_lost_begins_anew_by_itself(
    point: str, fragile: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A crash empties every table that is not logged. Nothing is lost by that, and what was published before it is not doubled."""
    url = fragile.new_database()
    targets = [{"name": n, "postgres": {"url": url, "table": n, "mode": "append"}} for n in ("first", "second")]
    project = define(tmp_path, url, sinks=targets, retry={"attempts": 6, "base_delay": "50 ms"})
    crashed = crashing_at(point, fragile, monkeypatch)
    run = project.run()
    assert crashed
    assert run.state == "succeeded"
    assert [retry["step"] for retry in run.retries].count("the run") == 1
    assert {name: sink["rows"] for name, sink in run.sinks.items()} == dict.fromkeys(("first", "second"), ROWS - ROWS // 100)
    for target in ("first", "second"):
        assert complete(url, target)
    assert asked(url, LEFT) == []
    assert project.run().unchanged


def test_a_server_that_is_away_for_a_while_is_waited_for(
    fragile: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = fragile.new_database()
    project = define(tmp_path, url, retry={"attempts": 30, "base_delay": "100 ms", "max_delay": "500 ms"})
    crashed = crashing_at("audited", fragile, monkeypatch, away=1.0)
    run = project.run()
    assert crashed
    assert {retry["step"] for retry in run.retries} >= {"the run", "verifying derive"}
    assert complete(url)


def test_a_run_that_may_not_try_again_says_that_its_staging_is_lost(
    fragile: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = fragile.new_database()
    project = define(tmp_path, url, retry={"attempts": 1})
    crashing_at("audited", fragile, monkeypatch)
    with pytest.raises(StagingLost, match="not there any more"):
        project.run()
    assert asked(url, "SELECT to_regclass('target')") == [(None,)]
    project.run()
    assert complete(url)
    assert asked(url, LEFT) == []


def crashing_at(point: str, server: PostgresServer, monkeypatch: pytest.MonkeyPatch, away: float = 0.0) -> list[int]:
    """Let the server crash once, when the run is there, and come back after so many seconds."""
    crashed: list[int] = []

    def back() -> None:
        time.sleep(away)
        server.resume()

    def reached(here: str) -> None:
        if here == point and not crashed:
            crashed.append(1)
            server.crash()
            threading.Thread(target=back).start() if away else back()

    monkeypatch.setattr(failpoints, "reached", reached)
    return crashed


def test_who_may_not_create_the_schema_is_told_what_to_do(tmp_path: Path, postgres: str) -> None:
    role = f"reader_{postgres[-8:]}"
    filled(postgres, f"CREATE ROLE {role} LOGIN")
    project = define(tmp_path, postgres.replace("postgres@", f"{role}@"))
    with pytest.raises(NonRetryableError, match="may not create the schema `headrace_staging`") as found:
        project.run()
    assert f'CREATE SCHEMA "headrace_staging" AUTHORIZATION "{role}"' in str(found.value.hint)


def test_settings_that_are_missing_or_wrong_are_told_at_their_place(tmp_path: Path, postgres: str) -> None:
    project = define(tmp_path, postgres)
    (tmp_path / "headrace.toml").unlink()
    with pytest.raises(DefinitionError, match="not told in which database to work"):
        project.run()
    (tmp_path / "headrace.toml").write_text(f'[engines.postgres]\nurl = "{postgres}"\nschemma = "x"\n')
    with pytest.raises(DefinitionError, match="unknown setting `schemma` of an engine"):
        project.run()
    nobody = postgres.replace("127.0.0.1", "127.0.0.1").rpartition(":")[0] + ":1/none"
    (tmp_path / "headrace.toml").write_text(f'[engines.postgres]\nurl = "{nobody}"\n')
    with pytest.raises(HeadraceError, match="the engine postgres: "):
        project.run()


def test_what_dead_runs_left_is_found_and_removed(tmp_path: Path, postgres: str, capsys: pytest.CaptureFixture[str]) -> None:
    project = define(tmp_path, postgres)
    started(project, "run", "--quiet", str(project.file), **{failpoints.VARIABLE: "data.validated"})
    assert asked(postgres, LEFT) != []
    dead = all_runs(project.store)[0].id
    assert project.cli("clean", "--dry-run", "--project", str(tmp_path)) == 0
    assert dead in capsys.readouterr().out
    assert asked(postgres, LEFT) != []
    assert project.cli("clean", "--project", str(tmp_path)) == 0
    assert asked(postgres, LEFT) == []
    capsys.readouterr()
    project.cli("clean", "--project", str(tmp_path))
    assert capsys.readouterr().out == "nothing is left over\n"


def test_what_a_living_run_works_on_is_left_alone(tmp_path: Path, postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    project = define(tmp_path, postgres)

    def reached(here: str) -> None:
        if here == "ingested":
            assert project.cli("clean", "--project", str(tmp_path)) == 0

    monkeypatch.setattr(failpoints, "reached", reached)
    assert project.run().state == "succeeded"
    assert complete(postgres)


def test_a_character_that_cannot_be_stored_is_told(tmp_path: Path, postgres: str) -> None:
    project = define(tmp_path, postgres)
    pq.write_table(pa.table({"id": [1], "v": ["a\x00b"]}), tmp_path / "in.parquet")
    project.define(engine="postgres", sources={"rows": {"file": {"path": "in.parquet"}}}, sinks=[{"file": {"path": "out/"}}])
    with pytest.raises(NonRetryableError, match="NUL character"):
        project.run()


def test_a_statement_that_takes_too_long_is_stopped(tmp_path: Path, postgres: str) -> None:
    filled(postgres, "CREATE VIEW slow AS SELECT i AS id, pg_sleep(0.05)::text AS z FROM generate_series(1, 1000) AS i")
    project = define(tmp_path, postgres)
    project = engine_of(tmp_path, postgres, statement_timeout=1)
    project.define(
        engine="postgres", sources={"rows": {"postgres": {"url": postgres, "table": "slow"}}}, sinks=[{"postgres": {"url": postgres, "table": "t"}}]
    )  # fmt: skip
    with pytest.raises(NonRetryableError, match="longer than 1 seconds"):
        project.run()
