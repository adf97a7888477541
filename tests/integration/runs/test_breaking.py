"""Runs before a remote system that is down: after some failures they leave it alone, visibly, and go on when it is back."""

from __future__ import annotations

import json
import subprocess

import pytest
from tests.integration.runs.project import Project
from tests.integration.runs.test_control import begin, latest, seen, started, work

from headrace import bootstrap
from headrace.application.orchestrator.breakers import FAILURES

__all__ = ["started"]

SYSTEM = "postgres://127.0.0.1:1"


@pytest.fixture
def down(project: Project) -> Project:
    """A pipeline into a database whose server is not there."""
    project.data("in.csv", ["a"], [[1], [2]])
    url = "postgresql://me:hush@127.0.0.1:1/x"
    return project.one(
        sinks=[{"name": "out", "postgres": {"url": url, "table": "t"}}],
        retry={"attempts": 99, "base_delay": "0 seconds", "budget": "1 hour"},
    )


def circuits(project: Project, capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    capsys.readouterr()
    assert project.cli("breakers", "list", "--json", "--project", str(project.folder)) == 0
    found: list[dict[str, object]] = json.loads(capsys.readouterr().out)
    return found


def test_a_worker_gives_the_run_back(down: Project, capsys: pytest.CaptureFixture[str]) -> None:
    assert circuits(down, capsys) == []
    assert down.cli("run", str(down.file), "--detach") == 0
    work(down)
    run = latest(down)
    assert (run.state, len(run.retries)) == ("waiting", FAILURES)
    assert f"the circuit breaker before {SYSTEM} is open" in run.reason
    site = bootstrap.site(down.folder)
    assert site.queue.claim(site.worker) is None, "it is not its time yet"
    assert down.cli("runs", "show", "--project", str(down.folder)) == 0
    said = capsys.readouterr().out
    assert f"before {SYSTEM} is open" in said
    assert "until" in said
    assert "hush" not in said
    (circuit,) = circuits(down, capsys)
    assert (circuit["system"], circuit["state"], circuit["failures"]) == (SYSTEM, "OPEN", FAILURES)


def test_a_command_waits_in_sight(
    down: Project, started: list[subprocess.Popen[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    breakers = bootstrap.site(down.folder).breakers
    for _ in range(FAILURES):
        breakers.ended(SYSTEM, breakers.allow(SYSTEM), failed=True)
    waiting = begin(down, started, "run")
    run_id = seen(down, "pipeline.retried", waiting)
    assert down.cli("runs", "cancel", run_id, "--project", str(down.folder)) == 0
    _, err = waiting.communicate()
    assert f"the circuit breaker before {SYSTEM} is open" in err
    assert waiting.returncode == 1
    assert down.cli("breakers", "reset", SYSTEM, "--project", str(down.folder)) == 0
    assert circuits(down, capsys) == []
    assert down.cli("breakers", "reset", SYSTEM, "--project", str(down.folder)) == 2
