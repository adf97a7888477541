"""`headrace chaos`: a pipeline that keeps its promise passes, one that does not is found out, and nothing outside of copies is touched."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from tests.faults.conftest import Makes

from headrace import bootstrap
from headrace.application.cli.invocation import invoke

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
    assert chaos(counted.file, "--kills", 4, "--json") == 0
    found = json.loads(capfd.readouterr().out)
    assert (found["same"], found["kills"], found["proof"]["plain"]["state"]) == (True, 4, "succeeded")
    assert {name: digest.split()[0] for name, digest in found["proof"]["plain"]["targets"].items()} == dict.fromkeys(
        counted.modes, str(sum(counted.expected.values()))
    )
    assert contents(counted.folder) == before, "the project is as it was"


def test_a_pipeline_that_does_not(project: Makes, capfd: pytest.CaptureFixture[str]) -> None:
    step = {"python": {"call": "forgetful.py:step"}}
    counted = project(modes={"files": "append"}, parts={"steps": [step, {"derive": {"twice": "v * 2"}}]})
    (counted.folder / "forgetful.py").write_text(FORGETFUL)
    counted.feed()
    assert chaos(counted.file, "--kills", 2, "--seed", 7) == 1
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
