"""Backfills: each value of a range has its run, once, here or by workers, and the same command again goes on where it was."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import pytest
from tests.integration.runs.project import Project
from tests.integration.runs.test_control import work

from headrace import bootstrap
from headrace.application.queries.runs import all_runs

DAYS = ("2024-01-01", "2024-01-02", "2024-01-03")
RANGE = ("--param", f"day={DAYS[0]}..{DAYS[-1]}")


@pytest.fixture
def daily(project: Project, capsys: pytest.CaptureFixture[str]) -> Project:
    """A pipeline that publishes one day, of which the second has a row that fails its audit."""
    project.data("in.csv", ["day", "amount"], [[DAYS[0], 1], [DAYS[1], -2], [DAYS[2], 3]])
    project.one(
        {"columns": {"day": "date", "amount": "int32"}},
        params={"day": {"type": "date", "required": True}, "country": "NO"},
        steps=[{"filter": "day = ${params.day}"}],
        checks=[{"name": "positive", "min": {"column": "amount", "at_least": 0}}],
        sinks=[{"name": "out", "file": "out/${params.day}.csv"}],
        concurrency=2,
    )
    capsys.readouterr()
    return project


def mend(project: Project) -> None:
    text = project.file.read_text()
    project.file.write_text(text.replace("at_least: 0", "at_least: -9"))


def published(project: Project) -> list[str]:
    return sorted(p.stem for p in (project.folder / "out").glob("*.csv"))


def shown(project: Project, capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    capsys.readouterr()
    assert project.cli("backfill", "show", "--json", "--project", str(project.folder)) == 0
    found: dict[str, object] = json.loads(capsys.readouterr().out)
    return found


def test_one_that_fails_keeps_no_other_from_its_turn_and_is_gone_on_with(
    daily: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    assert daily.cli("backfill", str(daily.file), *RANGE) == 1
    said = capsys.readouterr()
    assert "positive" in said.err
    assert "1 of 3 runs" in said.err
    assert published(daily) == [DAYS[0], DAYS[2]]
    assert shown(daily, capsys)["states"] == {"succeeded": 2, "failed": 1}
    mend(daily)
    before = {run.id: run.events for run in all_runs(daily.store) if run.state == "succeeded"}
    assert daily.cli("backfill", str(daily.file), *RANGE) == 0
    assert published(daily) == list(DAYS)
    runs = all_runs(daily.store)
    assert len(runs) == 3, "the run that failed is gone on with, by the definition as it is now"
    assert {run.id: run.events for run in runs if run.id in before} == before, "what succeeded is left alone"


def test_one_that_cannot_be_planned_keeps_no_other_from_its_turn(daily: Project, capsys: pytest.CaptureFixture[str]) -> None:
    mend(daily)
    daily.file.write_text(daily.file.read_text().replace("path: in.csv", "path: in/${params.day}.csv"))
    for day in (DAYS[0], DAYS[2]):
        daily.data(f"in/{day}.csv", ["day", "amount"], [[day, 1]])
    assert daily.cli("backfill", str(daily.file), *RANGE) == 1
    assert f"day={DAYS[1]}  cannot be run" in capsys.readouterr().err
    assert published(daily) == [DAYS[0], DAYS[2]]
    daily.data(f"in/{DAYS[1]}.csv", ["day", "amount"], [[DAYS[1], 1]])
    assert daily.cli("backfill", str(daily.file), *RANGE) == 0
    assert published(daily) == list(DAYS)
    daily.file.write_text(daily.file.read_text().replace("day = $", "dya = $"))
    assert daily.cli("backfill", str(daily.file), *RANGE, "--again") == 2


def test_all_of_it_belongs_together(daily: Project, capsys: pytest.CaptureFixture[str]) -> None:
    mend(daily)
    assert daily.cli("backfill", str(daily.file), *RANGE, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert [part["value"] for part in told["runs"]] == list(DAYS)
    assert {event.origin.correlation_id for event in daily.store.read()} == {told["backfill"]}
    runs = all_runs(daily.store)
    assert {(run.trigger, run.priority) for run in runs} == {("backfill", -1)}
    assert daily.cli("backfill", "list", "--json", "--project", str(daily.folder)) == 0
    (listed,) = json.loads(capsys.readouterr().out)
    assert (listed["backfill"], listed["runs"]) == (told["backfill"], {"succeeded": 3})


def test_workers_carry_it_out_within_its_limit(daily: Project, capsys: pytest.CaptureFixture[str]) -> None:
    mend(daily)
    assert daily.cli("backfill", str(daily.file), *RANGE, "--detach", "--concurrency", "1") == 0
    assert "no worker is there" in capsys.readouterr().err
    assert shown(daily, capsys)["states"] == {"queued": 3}
    assert daily.cli("backfill", str(daily.file), *RANGE, "--detach", "--concurrency", "1") == 0
    assert len(all_runs(daily.store)) == 3, "asking again asks for nothing new"
    site = bootstrap.site(daily.folder)
    first = site.queue.claim(site.worker)
    assert first is not None
    assert site.queue.claim(site.worker) is None, "one at a time"
    site.queue.postpone(first, "later", 0.0)
    for _ in DAYS:
        work(daily)
    assert published(daily) == list(DAYS)


def test_again_means_again(daily: Project, capsys: pytest.CaptureFixture[str]) -> None:
    mend(daily)
    for words in ((), ("--again",)):
        assert daily.cli("backfill", str(daily.file), "--param", f"day={DAYS[0]},{DAYS[2]}", *words) == 0
    assert len(all_runs(daily.store)) == 4
    assert published(daily) == [DAYS[0], DAYS[2]]
    assert daily.cli("backfill", "list", "--project", str(daily.folder)) == 0
    assert capsys.readouterr().out.count("2 succeeded") >= 2


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "no parameter is a range"),
        (("--param", "strange=1..3"), "parameter `strange`"),
        (("--param", "day=2024-01-03..2024-01-01"), "begins with"),
        ((*RANGE, "--param", "day=2024-01-01"), "twice"),
        ((*RANGE, "--param", "country=NO..SE"), "several parameters are ranges"),
        ((*RANGE, "--step", "fortnight"), "not a step"),
        ((*RANGE, "--concurrency", "3"), "lets 2 of its runs go on at once"),
    ],
)
def test_what_cannot_be_is_told(words: tuple[str, ...], told: str, daily: Project, capsys: pytest.CaptureFixture[str]) -> None:
    assert daily.cli("backfill", str(daily.file), *words) == 2
    assert told in capsys.readouterr().err
    assert all_runs(daily.store) == []


def test_an_unknown_backfill(daily: Project, capsys: pytest.CaptureFixture[str]) -> None:
    assert daily.cli("backfill", "list", "--project", str(daily.folder)) == 0
    assert "no backfills yet" in capsys.readouterr().out
    assert daily.cli("backfill", "show", "strange", "--project", str(daily.folder)) == 2


MEETING = """
import time
from pathlib import Path

import pyarrow as pa


def meet(rows: pa.Table) -> pa.Table:
    (day,) = rows["day"].to_pylist()
    here = Path(__file__).parent / "here"
    here.mkdir(exist_ok=True)
    (here / str(day)).touch()
    while len(list(here.iterdir())) < 2:
        time.sleep(0.02)
    return rows
"""


@pytest.fixture
def meeting(daily: Project) -> Project:
    """Each of its runs waits for another one."""
    mend(daily)
    daily.text("meeting.py", MEETING)
    text = daily.file.read_text().replace("steps:\n", "steps:\n- python: {call: 'meeting.py:meet'}\n  name: met\n", 1)
    daily.file.write_text(text.replace("- python", "- filter: day = ${params.day}\n- python", 1))
    return daily


def test_several_go_on_at_once_also_without_workers(meeting: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """Were they carried out one after another, the first would never come to its end."""
    assert meeting.cli("backfill", str(meeting.file), *RANGE) == 0
    assert published(meeting) == list(DAYS)
    assert capsys.readouterr().err.count("succeeded") == 3
    assert shown(meeting, capsys)["states"] == {"succeeded": 3}
    most = 0
    running: set[str] = set()
    for event in meeting.store.read(types=("pipeline.claimed/1", "pipeline.completed/1")):
        (running.add if event.kind == "pipeline.claimed" else running.discard)(event.stream)
        most = max(most, len(running))
    assert most == 2, "as many as the definition allows"
    assert not bootstrap.site(meeting.folder).workers.all(), "nobody else counts on who carried them out"


def test_interrupted_in_the_middle_of_several_it_goes_on_where_it_was(
    meeting: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [sys.executable, "-m", "headrace", "backfill", str(meeting.file), "--param", f"day={DAYS[0]}"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    while not (meeting.folder / "here" / DAYS[0]).exists():
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1, said
    assert "interrupted" in said
    assert "the same command goes on where it was" in said
    assert shown(meeting, capsys)["states"] == {"cancelled": 1}
    (meeting.folder / "here" / "another").touch()
    assert meeting.cli("backfill", str(meeting.file), "--param", f"day={DAYS[0]}") == 0
    assert published(meeting) == [DAYS[0]]
