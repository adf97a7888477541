"""A program is started as it stands in the definition, without a shell, and comes to an end whatever it does."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.integration.notifying.conftest import MESSAGE, Tells

from headrace.errors import HeadraceError, NonRetryableError, RetryableError
from headrace.infrastructure.notifying.command import CommandNotifier
from headrace.settings import Settings, load_settings

TELL = "import json, os, sys; json.dump([sys.argv[1:], dict(os.environ), json.load(sys.stdin), os.getcwd()], open('told', 'w'))"


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    return tmp_path / "logs"


def test_a_program_gets_its_arguments_the_facts_and_the_document(tells: Tells, logs: Path, tmp_path: Path) -> None:
    words = ["$HOME; touch pwned", "*", "`id`"]
    CommandNotifier(logs).send(*tells(command=[sys.executable, "-c", TELL, *words]), MESSAGE)
    arguments, environment, document, folder = json.loads((tmp_path / "told").read_text())
    assert arguments == words
    assert document == MESSAGE.document()
    assert Path(folder) == tmp_path
    facts = {name: value for name, value in environment.items() if name.startswith("HEADRACE_")}
    assert facts.items() >= {
        "HEADRACE_OCCASION": "failed", "HEADRACE_PIPELINE": "orders", "HEADRACE_RUN_ID": "20240301-060000-abcdef",
        "HEADRACE_CHECK": "", "HEADRACE_MESSAGE": "db-1", "HEADRACE_SUMMARY": MESSAGE.summary,
    }.items()  # fmt: skip
    assert load_settings(tmp_path, facts) == Settings(), "a program may call `headrace` in turn"
    assert not (tmp_path / "pwned").exists()


def test_a_path_is_meant_from_the_project_folder(tells: Tells, logs: Path, tmp_path: Path) -> None:
    script = tmp_path / "page.sh"
    script.write_text("#!/bin/sh\ntouch paged\n")
    script.chmod(0o700)
    CommandNotifier(logs).send(*tells(command=["./page.sh"]), MESSAGE)
    assert (tmp_path / "paged").exists()


def test_a_program_that_does_not_read_is_no_trouble(tells: Tells, logs: Path) -> None:
    facts = {**MESSAGE.facts, "run": {**MESSAGE.facts["run"], "rules": {f"rule {i}": i for i in range(20_000)}}}
    CommandNotifier(logs).send(*tells(command=[sys.executable, "-c", ""]), type(MESSAGE)("db-2", facts))


def test_a_program_that_hangs_is_killed_with_what_it_started(tells: Tells, logs: Path, tmp_path: Path) -> None:
    code = (
        "import os, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "open('new', 'w').write(f'{os.getpid()} {child.pid}'); os.rename('new', 'pids')\n"
        "time.sleep(600)"
    )
    error = refused(tells, logs, [sys.executable, "-c", code], seconds=3.0)
    assert isinstance(error, RetryableError)
    assert "killed" in error.message
    for pid in (tmp_path / "pids").read_text().split():
        soon(lambda pid=int(pid): is_over(pid))  # a signal is delivered when its process gets its turn


def test_a_program_that_prints_endlessly_is_killed_and_keeps_no_more_than_a_page(tells: Tells, logs: Path) -> None:
    error = refused(tells, logs, [sys.executable, "-c", "while True: print('c4n4ry' * 1000)"], seconds=1.0)
    assert isinstance(error, RetryableError)
    (log,) = logs.iterdir()
    assert log.name == "orders.ops.log"
    assert log.stat().st_size == 8_192
    assert log.stat().st_mode & 0o077 == 0


def test_a_program_that_fails_is_tried_again_and_what_it_said_stays_in_its_log(tells: Tells, logs: Path) -> None:
    error = refused(tells, logs, [sys.executable, "-c", "import sys; print('c4n4ry'); sys.exit(3)"])
    assert isinstance(error, RetryableError)
    assert "code 3" in error.message
    assert (logs / "orders.ops.log").read_text() == "c4n4ry\n"


def test_a_program_that_dies_is_tried_again(tells: Tells, logs: Path) -> None:
    error = refused(tells, logs, [sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"])
    assert isinstance(error, RetryableError)
    assert "SIGKILL" in error.message


@pytest.mark.parametrize("program", ["./nowhere.sh", "no-such-program-anywhere", "./plain.txt", "./", "a\0b"])
def test_a_program_that_cannot_be_started_is_not_tried_again(tells: Tells, logs: Path, tmp_path: Path, program: str) -> None:
    (tmp_path / "plain.txt").write_text("echo")
    error = refused(tells, logs, [program, "c4n4ry"])
    assert isinstance(error, NonRetryableError)
    assert error.hint


def refused(tells: Tells, logs: Path, words: list[str], seconds: float = 30.0) -> HeadraceError:
    with pytest.raises(HeadraceError) as raised:
        CommandNotifier(logs, seconds).send(*tells(command=words), MESSAGE)
    assert "c4n4ry" not in str(raised.value)
    return raised.value


def soon(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_over(pid: int) -> bool:
    """Whether it is gone, or waits as a zombie for whoever inherited it."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (ProcessLookupError, FileNotFoundError):
        return True
