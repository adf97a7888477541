"""`headrace chaos`: a pipeline that keeps its promise passes, one that does not is found out, and nothing outside of copies is touched."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.faults.conftest import Makes
from tests.faults.counted import Counted

from headrace import bootstrap
from headrace.application.cli.invocation import invoke
from headrace.application.orchestrator import chaos as proving
from headrace.application.orchestrator.chaos import Blow, Wanted
from headrace.infrastructure.detours import system_of

#: Gives a row more for each process that was there before it.
FORGETFUL = """
from pathlib import Path
import pyarrow as pa

def step(table):
    mark = Path(__file__).with_name("called")
    calls = int(mark.read_text()) if mark.exists() else 0
    mark.write_text(str(calls + 1))
    return pa.concat_tables([table] + [table.slice(0, 1)] * calls)
"""


def contents(folder: Path) -> dict[str, str]:
    files = [file for file in folder.rglob("*") if file.is_file()]
    return {str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def chaos(*arguments: object) -> int:
    return invoke(["chaos", *map(str, arguments)], lambda: bootstrap)


def test_a_pipeline_that_survives(project: Makes, capfd: pytest.CaptureFixture[str]) -> None:
    counted = project(modes={"files": "append", "duckdb": "merge", "sqlite": "append"})
    counted.feed()
    before = contents(counted.folder)
    assert chaos(counted.file, "--kills", 3, "--json") == 0
    found = json.loads(capfd.readouterr().out)
    assert (found["same"], found["kills"], found["proof"]["plain"]["state"]) == (True, 3, "succeeded")
    assert {name: digest.split()[0] for name, digest in found["proof"]["plain"]["targets"].items()} == dict.fromkeys(
        counted.modes, str(sum(counted.expected.values()))
    )
    assert contents(counted.folder) == before, "the project is as it was"


def test_a_pipeline_that_does_not(project: Makes, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    step = {"python": {"call": "forgetful.py:step"}}
    counted = project(modes={"files": "append"}, parts={"steps": [step, {"derive": {"twice": "v * 2"}}]})
    (counted.folder / "forgetful.py").write_text(FORGETFUL)
    counted.feed()
    monkeypatch.setattr(proving, "_chosen", lambda *_args, **_named: [Blow("data.staged", "kill")])
    assert chaos(counted.file, "--kills", 1) == 1
    told = capfd.readouterr()
    assert "target files: 148 rows" in told.out
    assert "came out differently" in told.err


def test_sinks_elsewhere_are_refused(project: Makes, capfd: pytest.CaptureFixture[str]) -> None:
    counted = project(modes={"files": "append", "postgres": "append"})
    counted.feed()
    assert chaos(counted.file) == 2
    assert "outside of its project: postgres" in (told := capfd.readouterr().err)
    assert "--allow-remote" in told
    assert not any(counted.targets().values())


def test_a_pipeline_that_fails_without_kills_is_no_case(project: Makes, capfd: pytest.CaptureFixture[str]) -> None:
    counted = project(modes={"files": "append"}, parts={"checks": [{"row_count": {"min": 10**6}}]})
    counted.feed()
    assert chaos(counted.file) == 1
    assert "does not succeed without any kill" in capfd.readouterr().err


def remote(project: Makes, mode: str = "merge", **options: Any) -> Counted:
    """Rows come from a database and go to it, beside what is there already."""
    counted = project(modes={"files": "append", "postgres": mode}, **options)
    with psycopg.connect(counted.postgres) as connection:
        connection.execute("CREATE TABLE numbers AS SELECT i AS id, i % 7 AS v FROM generate_series(1, 200) i")
        connection.execute("CREATE TABLE counted (id bigint PRIMARY KEY, v bigint, twice bigint)")
        connection.execute("INSERT INTO counted VALUES (1, -1, -1), (1000, -1, -1)")
    counted.define(sources={"rows": {"postgres": {"url": counted.postgres, "table": "numbers"}}}, retry={"attempts": 5})
    return counted


def everything(url: str) -> dict[str, Any]:
    """All schemas and the tables in them, with their rows."""
    with psycopg.connect(url) as connection:
        named = "SELECT schemaname, tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        tables = connection.execute(named).fetchall()
        schemas = connection.execute("SELECT nspname FROM pg_namespace WHERE nspname NOT LIKE 'pg\\_%' ORDER BY 1").fetchall()
        rows = {
            f"{schema}.{table}": sorted(map(str, connection.execute(f'SELECT * FROM "{schema}"."{table}"').fetchall()))  # type: ignore[call-overload]
            for schema, table in tables
        }
    return {"schemas": schemas, "rows": rows}


def test_kills_and_cuts_on_the_way_to_remote_targets(project: Makes, capfd: pytest.CaptureFixture[str]) -> None:
    counted = remote(project, state="postgres")
    before = everything(counted.postgres)
    assert chaos(counted.file, "--kills", 1, "--cuts", 3, "--allow-remote", "--json") == 0
    told = capfd.readouterr()
    found = json.loads(told.out)
    assert (found["same"], found["kills"], found["cuts"]) == (True, 1, 3)
    plain = found["proof"]["plain"]
    assert {name: digest.split()[0] for name, digest in plain["targets"].items()} == {"files": "200", "postgres": "200"}
    assert found["proof"]["reached"] == [system_of(counted.postgres)]
    assert "killed at" in told.err
    assert "answers lost at" in told.err or "connections cut at" in told.err
    assert everything(counted.postgres) == before, "no table, no row, no state is other than before, and nothing is left"


def test_a_commit_whose_answer_is_lost_is_published_once(project: Makes, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one moment at which nobody can know: the server has committed, and its word does not arrive."""
    counted = remote(project, mode="append")
    lost = Blow("sink ledger written", "lose")
    monkeypatch.setattr(proving, "_chosen", lambda *_args, **_named: [lost])
    proof = bootstrap.chaos(bootstrap.load(counted.file), {}, Wanted(0, 1, 1, allow_remote=True), lambda _trial: None)
    assert [blow for trial in proof.trials for blow in trial.blows] == [lost]
    assert proof.same, proof.trials


def test_sources_elsewhere_are_cut_off_without_leave(project: Makes, capfd: pytest.CaptureFixture[str]) -> None:
    counted = remote(project)
    counted.define(sources={"rows": {"postgres": {"url": counted.postgres, "table": "numbers"}}}, sinks=counted.sinks()[:1])
    assert chaos(counted.file, "--kills", 0, "--cuts", 1) == 0
    told = capfd.readouterr()
    assert "0 kills and 1 cut in 1 run" in told.out
    assert f"connections to {system_of(counted.postgres)} went through a relay" in told.out


def test_a_pipeline_that_a_cut_ends_is_found_out(
    project: Makes, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = remote(project)
    source = {"postgres": {"url": counted.postgres, "table": "numbers"}}
    counted.define(sources={"rows": source}, sinks=counted.sinks()[:1], retry={"attempts": 1})
    monkeypatch.setattr(proving, "_chosen", lambda *_args, **_named: [Blow("claimed", "cut")])
    assert chaos(counted.file, "--kills", 0, "--cuts", 1) == 1
    told = capfd.readouterr()
    assert "the run failed, and succeeded undisturbed" in told.out
    assert "came out differently" in told.err


def test_what_cannot_be_cut_is_said(project: Makes, capfd: pytest.CaptureFixture[str]) -> None:
    counted = project(modes={"files": "append"})
    counted.feed()
    assert chaos(counted.file, "--kills", 1) == 0
    assert "no connection to cut" in capfd.readouterr().out
    assert chaos(counted.file, "--cuts", 1) == 2
    assert "there is no connection that could be cut" in capfd.readouterr().err
    assert chaos(counted.file, "--kills", 0) == 2


@pytest.mark.parametrize("path", ["s3://bucket/out/", "/elsewhere/out/", "../out/"])
def test_folders_elsewhere_and_stores_are_refused(path: str, project: Makes, capfd: pytest.CaptureFixture[str]) -> None:
    counted = project(modes={"files": "append"})
    counted.feed()
    counted.define(sinks=[{"name": "elsewhere", "file": {"path": path, "format": "parquet", "mode": "append"}}])
    assert chaos(counted.file) == 2
    assert "outside of its project: elsewhere" in capfd.readouterr().err


def test_targets_elsewhere_that_are_no_databases(project: Makes, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    counted = project(modes={"files": "append"})
    counted.feed()
    elsewhere = {"name": "elsewhere", "file": {"path": str(tmp_path / "elsewhere"), "format": "parquet", "mode": "append"}}
    counted.define(sinks=[elsewhere])
    assert chaos(counted.file, "--allow-remote", "--kills", 1) == 2
    assert "would add to what is there: elsewhere" in capfd.readouterr().err
    elsewhere["file"]["mode"] = "replace"  # type: ignore[index]
    counted.define(sources={"rows": {"file": {"path": "in/*.csv"}}}, steps=[{"derive": {"twice": "id * 2"}}], sinks=[elsewhere])
    assert chaos(counted.file, "--allow-remote", "--kills", 1, "--json") == 0
    found = json.loads(capfd.readouterr().out)
    assert found["proof"]["plain"]["targets"]["elsewhere"].startswith("150 rows")
