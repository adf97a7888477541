"""Schedules at the command line: when what runs by itself, and pauses, which let every run of a pipeline wait."""

from __future__ import annotations

import json

import pytest
from tests.integration.runs.project import Project
from tests.integration.runs.test_control import latest, work

from headrace import bootstrap
from headrace.bootstrap.serving import definitions_folder
from headrace.infrastructure.storage.worker_registry import DatabaseWorkers


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


def test_while_somebody_serves_what_is_in_service_is_shown(scheduled: Project, capsys: pytest.CaptureFixture[str]) -> None:
    assert scheduled.cli("schedule", "list", "--project", str(scheduled.folder)) == 0
    assert "nobody serves" in capsys.readouterr().err
    site, folder = bootstrap.site(scheduled.folder), definitions_folder(scheduled.folder, lambda _line: None)
    folder.turn()
    DatabaseWorkers(site.queue.database).heard(site.worker, "serve")  # type: ignore[attr-defined]
    version = listed(scheduled, capsys)["p"]["version"]
    assert version == folder.kept("p").fingerprint  # type: ignore[union-attr]

    scheduled.file.write_text(scheduled.file.read_text().replace("0 6 29 2 *", "0 61 29 2 *"))
    found = listed(scheduled, capsys)["p"]
    assert (found["version"], found["problems"]) == (version, []), "who serves has not looked at the file yet"
    folder.turn()
    found = listed(scheduled, capsys)["p"]
    assert (found["version"], found["rhythm"]) == (version, "cron 0 6 29 2 *"), "the old version stays in service"
    assert any("61" in problem for problem in found["problems"])  # type: ignore[attr-defined]
    assert scheduled.cli("schedule", "list", "--project", str(scheduled.folder)) == 0
    said = capsys.readouterr()
    assert "2096-02-29 05:00" in said.out
    assert f"version {version} stays in service" in said.err
    assert "nobody serves" not in said.err
