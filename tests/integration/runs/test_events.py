"""The log at the command line: its newest lines, its lines as they come, its soundness, and all of it as JSON."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from contextlib import closing

import pytest
from tests.integration.runs.project import Project
from tests.integration.runs.test_control import begin, started

__all__ = ["started"]


@pytest.fixture
def ran(project: Project, capsys: pytest.CaptureFixture[str]) -> Project:
    project.data("in.csv", ["a"], [[1], [2]])
    project.one({"columns": {"a": "int32"}})
    for force in (False, True):
        project.run(force=force)
    capsys.readouterr()
    return project


def tail(project: Project, capsys: pytest.CaptureFixture[str], *words: str) -> list[dict[str, object]]:
    assert project.cli("events", "tail", *words, "--json", "--project", str(project.folder)) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_the_newest_come_last(ran: Project, capsys: pytest.CaptureFixture[str]) -> None:
    last = ran.store.last()
    assert [e["position"] for e in tail(ran, capsys, "-n", "3")] == [last - 2, last - 1, last]


def test_only_of_a_run_and_of_a_type(ran: Project, capsys: pytest.CaptureFixture[str]) -> None:
    started = tail(ran, capsys, "--type", "pipeline.started")
    assert len(started) == 2
    assert [e["run"] for e in tail(ran, capsys, "latest", "-t", "pipeline.s*")] == [started[-1]["run"]]
    found = {e["type"] for e in tail(ran, capsys, "-t", "data.*", "-t", "pipeline.queued/1", "-n", "100")}
    assert found == {"data.ingested/1", "data.validated/1", "data.staged/1", "data.stored/1", "pipeline.queued/1"}


def test_people_get_lines(ran: Project, capsys: pytest.CaptureFixture[str]) -> None:
    assert ran.cli("events", "tail", "latest", "--project", str(ran.folder)) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(list(ran.store.read(ran.store.read(after=ran.store.last() - 1).__next__().stream)))
    assert "pipeline.completed" in lines[-1]
    assert "succeeded" in lines[-1]


def test_what_happens_is_followed_as_it_happens(ran: Project, started: list[subprocess.Popen[str]]) -> None:
    following = begin(ran, started, "events", "tail", "--follow", "--json", "-n", "1", "-t", "pipeline.[sc]*")
    assert following.stdout is not None
    assert json.loads(following.stdout.readline())["type"] == "pipeline.completed/1"
    run = ran.run(force=True)
    lines = [json.loads(following.stdout.readline()) for _ in range(3)]
    assert [line["type"] for line in lines] == ["pipeline.claimed/1", "pipeline.started/1", "pipeline.completed/1"]
    assert {line["run"] for line in lines} == {run.id}
    following.send_signal(2)
    following.communicate()
    assert following.returncode == 0


def test_all_of_it_is_exported(ran: Project, capsys: pytest.CaptureFixture[str]) -> None:
    out = ran.folder / "events.jsonl"
    assert ran.cli("events", "export", "--out", str(out), "--project", str(ran.folder)) == 0
    written = [json.loads(line) for line in out.read_text().splitlines()]
    stored = list(ran.store.read())
    assert [(e["position"], e["type"], e["data"], e["hash"]) for e in written] == [
        (e.position, e.type, e.data, e.hash) for e in stored
    ]
    assert ran.cli("events", "export", "--out", str(out), "--project", str(ran.folder)) == 2
    assert "exists already" in capsys.readouterr().err
    assert ran.cli("events", "export", "--after", str(len(stored) - 2), "--project", str(ran.folder)) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2


INSERTED = """insert into events (position, stream, number, type, at, data, hash)
    select (select max(position) + 1 from events), 'x', 1, type, at, data, hash from events where position = 1"""
SWAPPED = """update events set position = case position when 5 then 1000 else 5 end where position in (5, 6);
    update events set position = 6 where position = 1000"""
FORGERIES = {
    "edited": ("update events set data = '{}' where position = 5", 5),
    "removed": ("delete from events where position = 5", 6),
    "inserted": (INSERTED, None),
    "swapped": (SWAPPED, 5),
    "cut off": ("delete from events where position > 5", None),
}


@pytest.mark.parametrize("forgery", list(FORGERIES))
def test_a_forgery_is_found_and_the_first_wrong_event_named(
    forgery: str, ran: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ran.cli("events", "verify", "--project", str(ran.folder)) == 0
    assert "ok" in capsys.readouterr().out
    script, position = FORGERIES[forgery]
    with closing(sqlite3.connect(ran.folder / ".headrace" / "headrace.db")) as db:
        db.executescript(script)
    assert ran.cli("events", "verify", "--json", "--project", str(ran.folder)) == 1
    said = capsys.readouterr()
    told = json.loads(said.out)
    assert told["valid"] is False
    assert told["fault"] in said.err
    if position is not None:
        assert told["at"]["position"] == position


def test_an_empty_log_is_sound(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    assert project.cli("events", "verify", "--project", str(project.folder)) == 0
    assert project.cli("events", "tail", "--project", str(project.folder)) == 0
    assert "0 events" in capsys.readouterr().out
