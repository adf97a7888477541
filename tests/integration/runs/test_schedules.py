"""Schedules at the command line: when what runs by itself, and pauses, which let every run of a pipeline wait."""

from __future__ import annotations

import json

import pytest
from tests.integration.runs.project import Project
from tests.integration.runs.test_control import latest, work

from headrace import bootstrap


@pytest.fixture
def scheduled(project: Project, capsys: pytest.CaptureFixture[str]) -> Project:
    project.data("in.csv", ["a"], [[1], [2]])
    project.one(schedule={"cron": "0 6 29 2 *", "timezone": "Europe/Berlin", "start": "2096-01-01"})
    project.text("more/broken.yaml", "version: 1\npipeline: broken\nsources: 3\n")
    project.text("more/contract.yaml", "columns: {a: int64}\n")
    project.text(".hidden/other.yaml", "pipeline: hidden\n")
    capsys.readouterr()
    return project


def listed(project: Project, capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, object]]:
    assert project.cli("schedule", "list", "--json", "--project", str(project.folder)) == 0
    return {line["pipeline"]: line for line in json.loads(capsys.readouterr().out)}


def test_what_runs_by_itself_and_when_and_what_is_broken(scheduled: Project, capsys: pytest.CaptureFixture[str]) -> None:
    found = listed(scheduled, capsys)
    assert set(found) == {"p", ""}
    assert found["p"]["next_ticks"] == [f"{year}-02-29T05:00:00+00:00" for year in (2096, 2104, 2108)]
    assert (found["p"]["timezone"], found["p"]["paused"], found["p"]["last_tick"]) == ("Europe/Berlin", None, None)
    assert "broken.yaml" in str(found[""]["file"])
    assert found[""]["problems"]
    assert scheduled.cli("schedule", "--project", str(scheduled.folder)) == 0
    said = capsys.readouterr()
    assert "2096-02-29 05:00" in said.out
    assert "broken.yaml" in said.err


def test_runs_of_a_paused_pipeline_wait_and_go_on_afterwards(scheduled: Project, capsys: pytest.CaptureFixture[str]) -> None:
    project = ("--project", str(scheduled.folder))
    assert scheduled.cli("schedule", "pause", "p", *project) == 0
    assert scheduled.cli("run", str(scheduled.file), "--detach") == 0
    site = bootstrap.site(scheduled.folder)
    assert site.queue.claim(site.worker) is None
    capsys.readouterr()
    assert scheduled.cli("runs", "show", *project) == 0
    assert "waiting: pipeline `p` is paused: `headrace schedule resume p`" in capsys.readouterr().out
    paused = listed(scheduled, capsys)["p"]["paused"]
    assert isinstance(paused, dict)
    assert paused["by"] == bootstrap.user()
    assert scheduled.cli("schedule", "resume", "p", *project) == 0
    work(scheduled)
    assert latest(scheduled).state == "succeeded"


def test_only_what_is_there_can_be_paused_and_only_what_is_paused_resumed(
    scheduled: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    assert scheduled.cli("schedule", "pause", "strange", "--project", str(scheduled.folder)) == 2
    assert "there is no pipeline `strange`" in capsys.readouterr().err
    assert scheduled.cli("schedule", "resume", "p", "--project", str(scheduled.folder)) == 2
    assert "`p` is not paused" in capsys.readouterr().err
