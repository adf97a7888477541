"""Code of a pipeline that will not behave: it dies, hangs, prints without end, starts processes; and runs that are stopped at any moment."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path
from typing import Any

import pytest
from tests.faults.conftest import Makes
from tests.faults.counted import Counted
from tests.faults.oracle import prove, prove_no_litter, streams
from tests.faults.processes import Crew, is_gone, state_of

from headrace.application.queries.runs import RunView, fold

#: What a step does the first time that it is called; the second time it does nothing.
ONCE = """
import ctypes, os, sys
from pathlib import Path

def step(table):
    mark = Path(__file__).with_name("called")
    if not mark.exists():
        mark.touch()
        {deed}
    return table
"""
DEATHS = {
    "os._exit(3)": "exit code 3",
    "os._exit(0)": "exit code 0",
    "sys.exit(7)": "exit code 7",
    "ctypes.string_at(0)": "killed by SIGSEGV",
}
#: Hangs in C with the interpreter's lock held, so that no thread of the process can do anything; and has started another process.
STUCK = """
import ctypes, signal, subprocess, sys
from pathlib import Path

def step(table):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    other = subprocess.Popen(["sleep", "100000"])
    mark = Path(__file__).with_name("started.part")
    mark.write_text(str(other.pid))
    mark.rename(mark.with_name("started"))
    ctypes.PyDLL(None).sleep(100000)
    return table
"""
LOUD = """
import os, sys

def step(table):
    print("the beginning")
    for _ in range(100000):
        print("x" * 100)
    print("the end", flush=True)
    sys.stdout.close()
    os.close(1)
    os.close(2)
    return table
"""
#: A source that will be there later.
AWAY = """
from headrace.orchestration import RetryableError

def rows():
    raise RetryableError("it is away", retry_after=50)
    yield {}
"""


def with_step(project: Makes, code: str, **parts: Any) -> Counted:
    counted = project(parts={"steps": [{"python": {"call": "unruly.py:step"}}, {"derive": {"twice": "v * 2"}}], **parts})
    (counted.folder / "unruly.py").write_text(code)
    counted.feed()
    return counted


def seen(counted: Counted, run_id: str) -> RunView:
    return fold(run_id, streams(counted)[run_id])


@pytest.mark.parametrize("deed", DEATHS)
def test_a_step_that_ends_its_process_is_tried_again(deed: str, project: Makes, processes: Crew) -> None:
    counted = with_step(project, ONCE.format(deed=deed))
    run_id = counted.ask()
    processes.start()
    processes.until(lambda: not counted.queue.outstanding())
    prove(counted)
    assert [e.data["why"] for e in streams(counted)[run_id] if e.kind == "pipeline.lease_lost"] == [DEATHS[deed]]


def test_a_step_that_always_ends_its_process_is_given_up(project: Makes, processes: Crew) -> None:
    counted = with_step(project, "import os\n\ndef step(table):\n    os._exit(3)\n")
    (counted.folder / "headrace.toml").write_text("attempts = 3\n")
    run_id = counted.ask()
    processes.start()
    processes.until(lambda: not counted.queue.outstanding())
    run = seen(counted, run_id)
    assert (run.state, run.attempt, run.error and run.error["error"]) == ("failed", 3, "ProcessDied")
    assert not any(counted.targets().values())


def test_what_a_step_prints_and_closes_is_its_own_matter(project: Makes, processes: Crew) -> None:
    counted = with_step(project, LOUD)
    run_id = counted.ask()
    processes.start()
    processes.until(lambda: not counted.queue.outstanding())
    prove(counted)
    log = (counted.folder / ".headrace" / "logs" / f"{run_id}.log").read_bytes()
    printed = len("the beginning\n" + "the end\n") + 100_000 * 101
    (left_out,) = re.findall(rb"\n\[(\d+) bytes are left out here\]\n", log)
    marker = len(f"\n[{int(left_out)} bytes are left out here]\n")
    assert (log.startswith(b"the beginning\n"), log.endswith(b"the end\n")) == (True, True)
    assert len(log) - marker + int(left_out) == printed
    assert len(log) < 3_000_000


def test_a_step_that_cannot_be_interrupted_is_ended_with_all_that_it_started(project: Makes, processes: Crew) -> None:
    counted = with_step(project, STUCK, timeout="5 seconds")
    run_id = counted.ask()
    processes.start()
    started = counted.folder / "started"
    processes.until(started.exists)
    processes.until(lambda: not counted.queue.outstanding())
    run = seen(counted, run_id)
    assert (run.state, run.error and run.error["error"]) == ("failed", "TimedOut")
    processes.until(lambda: is_gone(int(started.read_text())))
    assert not any(counted.targets().values())


def test_a_stuck_run_that_is_cancelled_does_not_wait_for_its_timeout(project: Makes, processes: Crew) -> None:
    counted = with_step(project, STUCK, timeout="10 hours")
    run_id = counted.ask()
    processes.start()
    started = counted.folder / "started"
    processes.until(started.exists)
    assert counted.queue.cancel(run_id, "ada") == "cancelling"
    processes.until(lambda: not counted.queue.outstanding())
    assert seen(counted, run_id).state == "cancelled"
    processes.until(lambda: is_gone(int(started.read_text())))


def test_what_a_dead_process_had_started_is_ended_too(project: Makes, processes: Crew) -> None:
    counted = with_step(project, STUCK.replace("ctypes.PyDLL(None).sleep(100000)", "import os; os._exit(3)"))
    (counted.folder / "headrace.toml").write_text("attempts = 1\n")
    counted.ask()
    processes.start()
    processes.until(lambda: not counted.queue.outstanding())
    processes.until(lambda: is_gone(int((counted.folder / "started").read_text())))


def test_a_run_is_cancelled_while_it_waits_for_its_next_attempt(project: Makes, processes: Crew) -> None:
    counted = project()
    away = {"python": {"call": "unruly.py:rows", "schema": {"id": "int64", "v": "int64"}}}
    counted.define(sources={"rows": away}, retry={"attempts": 5, "max_delay": "1 hour"})
    (counted.folder / "unruly.py").write_text(AWAY)
    run_id = counted.ask()
    processes.start()
    processes.until(lambda: any(e.kind == "pipeline.retried" for e in streams(counted)[run_id]))
    counted.queue.cancel(run_id, "ada")
    processes.until(lambda: not counted.queue.outstanding())
    run = seen(counted, run_id)
    assert (run.state, len(run.retries)) == ("cancelled", 1)
    prove_no_workspace(counted)


@pytest.mark.parametrize("point", ["ingested", "published duckdb"])
def test_a_run_that_is_cancelled_at_any_moment_leaves_whole_targets(point: str, project: Makes, processes: Crew) -> None:
    counted = project()
    counted.feed()
    run_id = counted.ask()
    processes.dying_at(f"{point}=stop")
    processes.until(lambda: state_of(processes.pid_at(point) or 0) == "T")
    counted.queue.cancel(run_id, "ada")
    os.kill(processes.pid_at(point) or 0, signal.SIGCONT)
    processes.until(lambda: not counted.queue.outstanding())
    assert seen(counted, run_id).state in ("cancelled", "succeeded"), "it may be done before it hears of it"
    assert [rows for rows in counted.targets().values() if rows and rows != counted.expected] == []
    counted.ask()
    processes.until(lambda: not counted.queue.outstanding())
    prove(counted, states=("cancelled", "succeeded"))
    prove_no_litter(counted)


@pytest.mark.parametrize("deleted", [False, True])
def test_a_run_in_flight_keeps_its_version(deleted: bool, project: Makes, processes: Crew) -> None:
    counted = project()
    counted.feed()
    run_id = counted.ask()
    processes.dying_at("ingested=stop")
    processes.until(lambda: state_of(processes.pid_at("ingested") or 0) == "T")
    if deleted:
        counted.file.unlink()
    else:
        counted.define(steps=[{"derive": {"twice": "v * 2000"}}], checks=[{"row_count": {"min": 10**6}}])
    os.kill(processes.pid_at("ingested") or 0, signal.SIGKILL)
    processes.until(lambda: not counted.queue.outstanding())
    prove(counted)
    assert seen(counted, run_id).attempt == 2


def prove_no_workspace(counted: Counted) -> None:
    assert list(Path(counted.folder / ".headrace" / "runs").glob("*")) == []
