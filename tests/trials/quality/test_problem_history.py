"""A check that fails in run after run is one problem: opened once, closed once, and opened anew when it comes back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.integration.runs.project import Project

from headrace.application.queries.problems import problem_history
from headrace.errors import AuditFailed


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def run(project: Project, rows: int, on_fail: str = "warn") -> str:
    """A run with a check that wants three rows; its id."""
    project.data("in.csv", ["a"], [[n] for n in range(rows)])
    checks = [
        {"name": "enough", "row_count": {"min": 3, "on_fail": on_fail}},
        {"name": "usual", "row_count_anomaly": {"history": "8 weeks", "on_fail": "warn"}},
    ]
    return project.one(checks=checks).run(force=True).id


def test_a_problem_is_opened_once_and_closed_once(project: Project) -> None:
    ids = [run(project, rows) for rows in (5, 1, 2, 5, 5, 0)]
    history = problem_history(project.store)
    assert [(p.check, p.opened_by, p.closed_by, p.failures, p.observed) for p in history] == [
        ("enough", ids[5], None, 1, "0 rows"),
        ("enough", ids[1], ids[3], 2, "2 rows"),
    ]
    assert [p.open for p in history] == [True, False]


def test_a_run_that_was_blocked_has_opened_a_problem_too(project: Project) -> None:
    with pytest.raises(AuditFailed):
        run(project, 1, "block")
    closed = run(project, 3, "block")
    (problem,) = problem_history(project.store)
    assert (problem.on_fail, problem.closed_by) == ("block", closed)


def test_pipelines_do_not_close_each_others_problems(project: Project) -> None:
    run(project, 1)
    text = project.file.read_text()
    project.data("in.csv", ["a"], [[n] for n in range(5)])
    project.file.write_text(text.replace("pipeline: p", "pipeline: q"))
    project.run(force=True)
    (problem,) = problem_history(project.store)
    assert problem.open


def test_an_outcome_that_says_nothing_leaves_a_problem_open(project: Project) -> None:
    check = {"name": "c", "mean": {"column": "a", "at_least": 5, "on_fail": "warn"}}
    for rows in ([[1]], [], [[2]]):
        project.data("in.csv", ["a"], rows)
        project.one({"columns": {"a": "int64"}}, checks=[check]).run(force=True)
    (problem,) = problem_history(project.store)
    assert (problem.failures, problem.open) == (2, True)


def test_the_command_lists_them(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    assert project.cli("problems", "--project", str(project.folder)) == 0
    assert "no check has failed yet" in capsys.readouterr().out
    opened = run(project, 1)
    assert project.cli("problems", "--project", str(project.folder)) == 0
    assert f"by {opened}" in capsys.readouterr().out
    assert project.cli("problems", "--project", str(project.folder), "--json") == 0
    assert json.loads(capsys.readouterr().out)[0]["opened_by"] == opened
