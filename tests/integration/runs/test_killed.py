"""A run that is killed at any time leaves targets as they were or as they should be, and the next run puts all right."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from typing import Any

import pytest
from tests.integration.runs.project import Project, query

from headrace.application.queries.quarantine import held_rows
from headrace.application.queries.runs import all_runs

COUNT = 3000

#: Ends the process by a signal when the run is busy with something for the nth time, which needs no clock.
SCRIPT = """
import os, signal, sys
from pathlib import Path
from headrace import bootstrap
from headrace.infrastructure.storage.run_queue import DatabaseRunQueue

file, point, name = Path(sys.argv[1]), sys.argv[2], getattr(signal, sys.argv[3])

def seen(what):
    if what == point:
        os.kill(os.getpid(), name)

append = DatabaseRunQueue.append
def told(queue, lease, events):
    seen("before " + events[0].written)
    stored = append(queue, lease, events)
    seen("after " + events[0].written)
    return stored
DatabaseRunQueue.append = told

from headrace.infrastructure.connectors import milestones
milestones.reached = lambda where: seen("milestone " + where)

from headrace.application.cli.invocation import invoke
sys.exit(invoke(["run", str(file)], lambda: bootstrap))
"""
POINTS = [
    "before pipeline.started/1", "after pipeline.started/1", "after data.ingested/1", "before data.staged/1", "after data.staged/1",
    "before data.stored/1", "after data.stored/1", "before pipeline.completed/1", "after pipeline.completed/1",
]  # fmt: skip


def define(project: Project) -> Counter[tuple[Any, ...]]:
    project.data("in.csv", ["id", "v"], [[i if i % 100 else "bad", f"v{i}"] for i in range(COUNT)])
    project.one(
        {"columns": {"id": "int32"}},
        sinks=[
            {"name": "one", "duckdb": {"path": "one.duckdb", "table": "t", "mode": "append"}},
            {"name": "two", "file": {"path": "two/", "format": "parquet", "mode": "append"}},
        ],
    )
    return Counter((i, f"v{i}") for i in range(COUNT) if i % 100)


def killed(project: Project, point: str, how: str = "SIGKILL") -> subprocess.CompletedProcess[str]:
    script = project.folder / "killed.py"
    script.write_text(SCRIPT)
    return subprocess.run(
        [sys.executable, str(script), str(project.file), point, how],
        capture_output=True, text=True, cwd=project.folder, check=False, env={**os.environ, "NO_COLOR": "1"},
    )  # fmt: skip


def what_is_there(project: Project) -> list[Counter[tuple[Any, ...]]]:
    one = (
        Counter(query(project.folder / "one.duckdb", "SELECT * FROM t"))
        if (project.folder / "one.duckdb").exists()
        else Counter()
    )
    files = [str(f) for f in (project.folder / "two").glob("*.parquet")]
    import duckdb

    with duckdb.connect() as con:
        two = Counter(con.execute("SELECT * FROM read_parquet(?)", [files]).fetchall()) if files else Counter()
    return [one, two]


@pytest.mark.parametrize("point", POINTS)
def test_whenever_it_is_killed_the_next_run_puts_all_right(point: str, project: Project) -> None:
    expected = define(project)
    assert killed(project, point).returncode == -signal.SIGKILL
    for rows in what_is_there(project):
        assert rows in (Counter(), expected), "a reader never sees a part"
    assert project.cli("runs", "--project", str(project.folder)) == 0, "looking at it changes nothing"
    project.run()
    assert what_is_there(project) == [expected, expected]
    assert project.run().unchanged
    assert what_is_there(project) == [expected, expected]
    assert sum(h.open_rows for h in held_rows(project.store)) == COUNT // 100, "rows that are held back are known, once"
    assert list((project.folder / ".headrace" / "runs").glob("*")) == [], "what a dead run left is gone"


def test_an_interruption_is_told_and_leaves_no_litter(project: Project) -> None:
    expected = define(project)
    done = killed(project, "after data.ingested/1", "SIGINT")
    assert done.returncode == 1
    assert "interrupted" in done.stderr
    assert "headrace run" in done.stderr
    assert "Traceback" not in done.stderr
    assert [run.state for run in all_runs(project.store)] == ["cancelled"]
    assert list((project.folder / ".headrace" / "runs").glob("*")) == []
    project.run()
    assert what_is_there(project) == [expected, expected]


@pytest.mark.parametrize("point", ["before data.stored/1", "after data.stored/1", "before pipeline.completed/1"])
def test_a_killed_run_is_gone_on_with_by_hand(point: str, project: Project) -> None:
    expected = define(project)
    assert killed(project, point).returncode == -signal.SIGKILL
    assert project.cli("runs", "resume", "--project", str(project.folder)) == 0
    assert what_is_there(project) == [expected, expected]
    (run,) = all_runs(project.store)
    kinds = [event.kind for event in project.store.read(run.id)]
    assert (run.state, kinds.count("data.ingested"), kinds.count("pipeline.resumed")) == ("succeeded", 1, 1)
