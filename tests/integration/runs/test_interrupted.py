"""Ctrl-C at any moment of a run: it stops, says so, and leaves nothing half-done and nothing that looks alive."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.integration.runs.project import Project

from headrace.application.queries.runs import all_runs

#: Interrupts the process that is to read rows, in the midst of what the engine does.
INTERRUPTING = """
import os, signal
def rows():
    yield {"x": 1}
    os.kill(os.getpid(), signal.SIGINT)
    yield {"x": 2}
"""
#: Starts a process in a session of its own, through one that ends at once, and waits for ever.
LEAVING = """
import subprocess, time
from pathlib import Path
def rows():
    mark = Path(__file__).with_name("left")
    subprocess.run(["sh", "-c", f"(setsid sh -c 'echo $$ > {mark}; exec sleep 100000' &)"], check=True)
    time.sleep(100000)
    yield {"x": 1}
"""


def define(project: Project, code: str | None = None, **parts: object) -> None:
    project.data("in.csv", ["x"], [[1], [2]])
    python = {"python": {"call": "code.py:rows", "schema": {"x": "int64"}}}
    if code is not None:
        project.text("code.py", code)
    project.define(
        sources={"rows": python if code is not None else {"file": {"path": "in.csv"}}},
        steps=[{"derive": {"y": "x + 1"}}],
        checks=[{"row_count": {"min": 1}}],
        sinks=[{"name": "out", "file": "out.csv"}],
        **parts,
    )


def start(project: Project, failpoints: str = "", *, ignoring: bool = False) -> subprocess.Popen[str]:
    """`headrace run`; `ignoring` as shells start what stands before `&`."""
    return subprocess.Popen(
        [sys.executable, "-m", "headrace", "run", str(project.file)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "NO_COLOR": "1", "HEADRACE_FAILPOINTS": failpoints},
        preexec_fn=(lambda: signal.signal(signal.SIGINT, signal.SIG_IGN)) if ignoring else None,
    )


@pytest.mark.parametrize(
    ("point", "state"),
    [
        ("claimed", "cancelled"),
        ("pipeline.started", "cancelled"),
        ("appending", "cancelled"),
        ("staged", "cancelled"),
        ("published out", "cancelled"),
        ("before completed", "cancelled"),
        ("pipeline.completed", "succeeded"),
    ],
)
def test_it_stops_wherever_it_is(point: str, state: str, project: Project) -> None:
    define(project)
    run = start(project, f"{point}=interrupt")
    _, err = run.communicate()
    assert run.returncode == 1, err
    assert "error: interrupted" in err
    assert "Traceback" not in err
    assert [found.state for found in all_runs(project.store)] == [state]
    assert project.run().state == "succeeded"
    assert (project.folder / "out.csv").read_text().splitlines()[1:] == ["1,2", "2,3"]


def test_what_the_engine_makes_of_it_is_no_failure_of_the_run(project: Project) -> None:
    define(project, INTERRUPTING)
    run = start(project)
    _, err = run.communicate()
    assert (run.returncode, "Traceback" in err, "error: interrupted" in err) == (1, False, True), err
    assert [found.state for found in all_runs(project.store)] == ["cancelled"]


def test_a_run_that_was_started_behind_an_ampersand_still_keeps_to_its_timeout(project: Project) -> None:
    define(project, "import time\ndef rows():\n    time.sleep(100000)\n    yield {'x': 1}\n", timeout="1 second")
    run = start(project, ignoring=True)
    _, err = run.communicate(timeout=120)
    assert run.returncode == 1
    assert "took longer than 1 second" in err


def test_what_a_run_has_started_ends_with_it_wherever_it_went(project: Project) -> None:
    define(project, LEAVING, timeout="2 seconds")
    run = start(project)
    _, err = run.communicate(timeout=120)
    assert "took longer than 2 seconds" in err
    left = int((project.folder / "left").read_text())
    assert not Path(f"/proc/{left}").exists() or Path(f"/proc/{left}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


#: Minutes of work, in which a thread of the engine waits for others.
LONG = "select count(*) as n from rows a join rows b on a.x % 7 = b.x % 5 join rows c on b.x % 3 = c.x % 2"


@pytest.mark.parametrize("how", ["by hand", "cancel", "timeout"])
def test_a_statement_that_would_take_minutes_is_stopped_at_once(how: str, project: Project) -> None:
    project.data("in.csv", ["x"], ([i] for i in range(60000)))
    project.text("headrace.toml", "threads = 4\n")
    limits = {"timeout": "2 seconds"} if how == "timeout" else {}
    project.one({"columns": {"x": "int64"}}, steps=[{"name": "joined", "sql": LONG}], **limits)
    for after in (0.0, 0.4, 0.9) if how == "by hand" else (0.5,):
        before = times_read(project)
        run = start(project)
        try:
            while run.poll() is None and times_read(project) == before:
                time.sleep(0.02)
            time.sleep(after)  # in the statement, or about to begin with it
            if how == "by hand":
                run.send_signal(signal.SIGINT)
            elif how == "cancel":
                assert project.cli("runs", "cancel", "latest", "--project", str(project.folder)) == 0
            _, err = run.communicate(timeout=60)
        finally:
            run.kill()
        assert (run.returncode, "Traceback" in err) == (1, False), err
    ended = {found.state for found in all_runs(project.store)}
    assert ended == {"failed" if how == "timeout" else "cancelled"}


def times_read(project: Project) -> int:
    return len(list(project.store.read(types=("data.ingested/1",))))
