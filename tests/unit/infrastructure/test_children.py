"""Processes that carry out runs: made by a server that may have been prepared, ended with all that they have started."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
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
    child.join()
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


#: Processes in sessions of their own: a child, and an orphan whose parent has ended at once. Each writes its id.
LEAVING = """
setsid sh -c 'echo $$ > {folder}/child; exec sleep 100000' &
( setsid sh -c 'echo $$ > {folder}/orphan; exec sleep 100000' & )
"""


def leave(folder: str, deed: str) -> None:
    """Start them with nothing of our environment, and end in some way."""
    subprocess.run(["/bin/sh", "-c", LEAVING.format(folder=folder)], env={"PATH": os.environ["PATH"]}, check=True)
    while not all((Path(folder) / name).exists() and (Path(folder) / name).read_text() for name in ("child", "orphan")):
        time.sleep(0.01)
    (Path(folder) / "there").touch()
    {"stay": stay, "return": lambda: None, "die": lambda: os._exit(3), "crash": lambda: os.kill(os.getpid(), 9)}[deed]()


@pytest.mark.parametrize("deed", ["stay", "return", "die", "crash"])
def test_what_left_its_group_and_its_session_is_ended_with_the_process(tmp_path: Path, deed: str) -> None:
    children = Children(())
    other = children.start(stay, log=tmp_path / "other.log")
    child = children.start(leave, str(tmp_path), deed, log=tmp_path / "run.log")
    assert deed == "stay" or ended(child), (tmp_path / "run.log").read_text()
    until((tmp_path / "there").exists)
    started = [int((tmp_path / name).read_text()) for name in ("child", "orphan")]
    child.kill()
    until(lambda: all(map(is_gone, started)))
    assert not other.ended(), "the process of another run goes on"
    other.kill()


def test_what_left_its_session_is_ended_when_the_worker_is_no_more(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from headrace.infrastructure.children import Children\n"
        "from tests.unit.infrastructure.test_children import leave\n"
        "Children(()).start(leave, sys.argv[1], 'stay', log=Path(sys.argv[1]) / 'run.log'); time.sleep(100000)"
    )
    worker = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], cwd=Path(__file__).parents[3])
    try:
        until((tmp_path / "there").exists)
    finally:
        worker.kill()
        worker.wait()
    started = [int((tmp_path / name).read_text()) for name in ("child", "orphan")]
    until(lambda: all(map(is_gone, started)))


def until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True
