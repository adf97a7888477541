"""Processes that carry out runs: made by a server that may have been prepared, ended with all that they have started."""

from __future__ import annotations

import sys
import time
from multiprocessing.connection import wait
from pathlib import Path

import pytest

from headrace.infrastructure.children import ChildProcess, Children

SECONDS = 60


def write_and_exit(path: str, code: int) -> None:
    Path(path).touch()
    print("told to the log")
    sys.exit(code)


def stay() -> None:
    time.sleep(10 * SECONDS)


def ended(child: ChildProcess) -> bool:
    wait([child._process.sentinel], timeout=SECONDS)
    return child.ended()


@pytest.mark.parametrize("prepared", [True, False])
def test_a_process_does_its_task_and_says_how_it_ended(tmp_path: Path, prepared: bool) -> None:
    children = Children(())
    if prepared:
        children.prepare()
    child = children.start(write_and_exit, str(tmp_path / "found"), 3, log=tmp_path / "logs" / "run.log")
    assert ended(child)
    assert child.outcome() == "exit code 3"
    assert (tmp_path / "found").exists()
    assert (tmp_path / "logs" / "run.log").read_text() == "told to the log\n"


def test_it_says_when_processes_begin_at_once(tmp_path: Path) -> None:
    children = Children(())
    assert not children.ready()
    children.prepare()
    deadline = time.monotonic() + SECONDS
    while not children.ready():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert ended(children.start(write_and_exit, str(tmp_path / "found"), 0, log=tmp_path / "run.log"))


def test_a_process_is_ended_at_once(tmp_path: Path) -> None:
    child = Children(()).start(stay, log=tmp_path / "run.log")
    assert not child.ended()
    child.kill()
    assert child.outcome() == "killed by SIGKILL"
