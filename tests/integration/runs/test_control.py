"""Runs in hand: left to workers, told why they wait, stopped at any moment and gone on with, in whatever process they are."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest
from tests.integration.runs.project import Project

from headrace import bootstrap
from headrace.application.orchestrator.batch import assigned, wish_of
from headrace.application.orchestrator.carrying import carry_out
from headrace.application.orchestrator.interruptions import Interruptions
from headrace.application.orchestrator.queue import Lease, RunRequest
from headrace.application.orchestrator.turns import ended_elsewhere, standing, wait_for_turn
from headrace.application.queries.runs import RunView, find_run
from headrace.bus.events import PipelineCompletedEvent

#: A sink that gives up at once while somebody else writes to its file, and waits before the next attempts that nobody sits out.
BUSY = [{"name": "out", "sqlite": {"path": "out.db", "table": "t", "busy_seconds": 0}}]
PATIENT = {"attempts": 9, "base_delay": "1 hour", "max_delay": "1 hour", "budget": "1 day"}


@pytest.fixture
def ready(project: Project) -> Project:
    project.data("in.csv", ["a", "b"], [[1, "x"], [2, "y"]])
    return project.one({"columns": {"a": "int32"}}, sinks=[{"name": "out", "file": "out/published.csv"}])


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[str]]]:
    """Commands in processes of their own, ended with the test."""
    processes: list[subprocess.Popen[str]] = []
    yield processes
    for process in processes:
        process.kill()
        process.communicate()


def begin(project: Project, started: list[subprocess.Popen[str]], *words: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "headrace", *words], cwd=project.folder, env={**os.environ, "NO_COLOR": "1"},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    started.append(process)
    return process


def seen(project: Project, kind: str, process: subprocess.Popen[str]) -> str:
    """The run of the first event of a kind, as soon as there is one."""
    while process.poll() is None:
        for event in project.store.read(types=(f"{kind}/1",)):
            return str(event.stream)
        time.sleep(0.05)
    raise AssertionError(f"no {kind}: {process.communicate()}")


def kinds(project: Project, run_id: str) -> list[str]:
    return [event.kind for event in project.store.read(run_id)]


def latest(project: Project) -> RunView:
    return find_run(project.store, "latest")


def hold(project: Project, run_id: str = "held") -> Lease:
    """Another run of the pipeline that goes on, in this process."""
    site = bootstrap.site(project.folder)
    lease = site.queue.start(RunRequest(run_id, "p", str(project.folder)), site.worker)
    assert lease is not None
    return lease


def work(project: Project) -> None:
    """What a worker does with the next run."""
    site = replace(bootstrap.site(project.folder), postpones=True)
    lease = site.queue.claim(site.worker)
    assert lease is not None
    assert lease.request.definition is not None
    loaded = bootstrap.load_kept(lease.request.definition, lease.request.params)
    with Interruptions() as interruptions:
        carry_out(
            site, lease, lambda tries: assigned(bootstrap.prepare(loaded, site, tries), wish_of(lease.request)), interruptions
        )


@pytest.fixture
def lock(ready: Project) -> Iterator[sqlite3.Connection]:
    """Somebody who writes to the sink's file and does not end."""
    with closing(sqlite3.connect(ready.folder / "out.db", isolation_level=None)) as db:
        db.execute("create table mine (a)")
        db.execute("begin immediate")
        yield db


@pytest.fixture
def blocked(ready: Project, lock: sqlite3.Connection) -> Project:
    """A pipeline whose sink has to wait, after all is staged."""
    return ready.one({"columns": {"a": "int32"}}, sinks=BUSY, retry=PATIENT)


def fail_at_the_sink(project: Project, capsys: pytest.CaptureFixture[str]) -> str:
    """A run that has staged all and cannot publish it; what is in the way is taken away afterwards."""
    project.text("out", "in the way")
    assert project.cli("run", str(project.file)) == 1
    (project.folder / "out").unlink()
    capsys.readouterr()
    return latest(project).id


def test_a_run_may_be_left_to_a_worker(ready: Project, capsys: pytest.CaptureFixture[str]) -> None:
    assert ready.cli("run", str(ready.file), "--detach", "--priority", "7") == 0
    said = capsys.readouterr()
    run = latest(ready)
    assert run.id in said.out
    assert (run.state, run.priority) == ("queued", 7)
    assert "no worker is there" in said.err
    assert ready.cli("runs", "show", "--project", str(ready.folder)) == 0
    assert "no worker is there" in capsys.readouterr().out
    ready.file.write_text("what becomes of the file does not matter")
    work(ready)
    assert latest(ready).state == "succeeded"
    assert len(ready.published("out/published.csv")) == 2


def test_options_reach_the_worker(ready: Project, capsys: pytest.CaptureFixture[str]) -> None:
    ready.run()
    assert ready.cli("run", str(ready.file), "--detach", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    work(ready)
    assert find_run(ready.store, told["run"]).unchanged
    assert ready.cli("run", str(ready.file), "--detach", "--force", "--quiet") == 0
    forced = capsys.readouterr().out.strip()
    work(ready)
    assert not find_run(ready.store, forced).unchanged


def test_a_run_that_waits_says_why(ready: Project, started: list[subprocess.Popen[str]]) -> None:
    lease = hold(ready)
    waiting = begin(ready, started, "run")
    run_id = seen(ready, "pipeline.waiting", waiting)
    bootstrap.site(ready.folder).queue.append(lease, [PipelineCompletedEvent(lease.run_id, pipeline="p")])
    _, err = waiting.communicate()
    assert waiting.returncode == 0, err
    assert "waits: run held of `p` goes on" in err
    assert find_run(ready.store, run_id).state == "succeeded"


def test_a_run_that_waits_in_another_process_can_be_cancelled(
    ready: Project, started: list[subprocess.Popen[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    hold(ready)
    waiting = begin(ready, started, "run")
    run_id = seen(ready, "pipeline.waiting", waiting)
    assert ready.cli("runs", "cancel", run_id, "--project", str(ready.folder)) == 0
    assert "is cancelled" in capsys.readouterr().out
    _, err = waiting.communicate()
    assert waiting.returncode == 1
    assert f"run {run_id} was cancelled by " in err
    assert f"headrace runs resume {run_id}" in err


def test_a_run_that_goes_on_in_another_process_can_be_cancelled(
    blocked: Project, started: list[subprocess.Popen[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    ready = blocked
    running = begin(ready, started, "run")
    run_id = seen(ready, "pipeline.retried", running)
    assert ready.cli("runs", "show", "--project", str(ready.folder)) == 0
    shown = capsys.readouterr().out
    assert "retries    1, the last of publishing out" in shown
    assert "staged     rows: 2 rows" in shown
    assert ready.cli("runs", "cancel", run_id, "--project", str(ready.folder)) == 0
    assert "is cancelled" in capsys.readouterr().out
    _, err = running.communicate()
    assert running.returncode == 1
    assert f"run {run_id} was cancelled by " in err
    assert find_run(ready.store, run_id).state == "cancelled"
    assert ready.cli("runs", "cancel", run_id, "--project", str(ready.folder)) == 2
    assert "has ended already" in capsys.readouterr().err


def test_a_run_that_another_takes_is_waited_for(ready: Project) -> None:
    lease = hold(ready)
    told: list[str] = []

    def busy(what: str, _share: float | None) -> None:
        told.append(what)
        if len(told) == 2:
            site.queue.append(lease, [PipelineCompletedEvent(lease.run_id, pipeline="p")])

    site = bootstrap.site(ready.folder, busy)
    assert wait_for_turn(site, lease.run_id, Interruptions()) is None
    assert told[0] == f"carried out by {lease.worker}"
    assert ended_elsewhere(site.bus.store, lease.run_id).state == "succeeded"


def test_cancelling_need_not_be_waited_for(ready: Project, capsys: pytest.CaptureFixture[str]) -> None:
    lease = hold(ready)
    assert ready.cli("runs", "cancel", lease.run_id, "--no-wait", "--project", str(ready.folder)) == 0
    assert "is asked to stop" in capsys.readouterr().out
    assert bootstrap.site(ready.folder).queue.is_cancelling(lease)


def test_a_failed_run_goes_on_behind_what_is_staged(ready: Project, capsys: pytest.CaptureFixture[str]) -> None:
    run_id = fail_at_the_sink(ready, capsys)
    ready.file.write_text("pipeline: [broken")
    assert ready.cli("runs", "resume", "--project", str(ready.folder)) == 0, capsys.readouterr().err
    assert "goes on behind what is audited" in capsys.readouterr().err
    assert latest(ready).id == run_id
    assert latest(ready).state == "succeeded"
    assert len(ready.published("out/published.csv")) == 2
    assert kinds(ready, run_id).count("data.ingested") == 1, "what was read is not read again"
    assert list((ready.folder / ".headrace" / "runs").glob("*")) == []


def test_a_worker_resumes_too(ready: Project, capsys: pytest.CaptureFixture[str]) -> None:
    run_id = fail_at_the_sink(ready, capsys)
    assert ready.cli("runs", "resume", run_id[:-2], "--detach", "--project", str(ready.folder)) == 0
    assert latest(ready).state == "queued"
    work(ready)
    assert latest(ready).state == "succeeded"
    assert kinds(ready, run_id).count("data.ingested") == 1


def test_a_retried_run_begins_from_the_start_under_its_id(ready: Project, capsys: pytest.CaptureFixture[str]) -> None:
    run_id = fail_at_the_sink(ready, capsys)
    ready.data("in.csv", ["a", "b"], [[1, "x"], [2, "y"], [3, "z"]])
    assert ready.cli("runs", "retry", "--project", str(ready.folder)) == 0
    assert latest(ready).id == run_id
    assert len(ready.published("out/published.csv")) == 3
    assert kinds(ready, run_id).count("data.ingested") == 2


def test_what_was_staged_before_another_run_is_not_published_over_it(
    ready: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    run_id = fail_at_the_sink(ready, capsys)
    staged = ready.folder / ".headrace" / "runs" / run_id
    aside = staged.rename(ready.folder / "aside")
    ready.data("in.csv", ["a", "b"], [[1, "x"], [2, "y"], [3, "z"]])
    ready.run()
    aside.rename(staged)  # as on another machine, where nobody tidied up
    assert ready.cli("runs", "resume", run_id, "--project", str(ready.folder)) == 0
    assert len(ready.published("out/published.csv")) == 3


def test_an_interrupted_run_is_gone_on_with(
    blocked: Project, lock: sqlite3.Connection, started: list[subprocess.Popen[str]]
) -> None:
    ready = blocked
    running = begin(ready, started, "run")
    run_id = seen(ready, "pipeline.retried", running)
    running.send_signal(2)
    _, err = running.communicate()
    assert running.returncode == 1
    assert "interrupted" in err
    assert f"headrace runs resume {run_id}" in err
    lock.execute("rollback")
    assert ready.cli("runs", "resume", "--project", str(ready.folder)) == 0
    assert kinds(ready, run_id).count("data.ingested") == 1
    assert lock.execute("select count(*) from t").fetchall() == [(2,)]


def test_only_what_ended_without_success_can_be_put_back(ready: Project, capsys: pytest.CaptureFixture[str]) -> None:
    ready.run()
    for command in ("resume", "retry"):
        assert ready.cli("runs", command, "--project", str(ready.folder)) == 2
        assert "has succeeded" in capsys.readouterr().err
    hold(ready)
    assert ready.cli("runs", "resume", "held", "--project", str(ready.folder)) == 2
    assert "has not ended" in capsys.readouterr().err


def test_watching_gives_the_exit_code_of_the_run(
    ready: Project, started: list[subprocess.Popen[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert ready.cli("run", str(ready.file), "--detach", "--quiet") == 0
    watching = begin(ready, started, "runs", "watch")
    work(ready)
    out, err = watching.communicate()
    assert watching.returncode == 0, err
    assert "published out/published.csv" in out
    shutil.rmtree(ready.folder / "out")
    run_id = fail_at_the_sink(ready, capsys) if ready.data("in.csv", ["a", "b"], [[7, "z"]]) else ""
    assert ready.cli("runs", "watch", run_id, "--json", "--project", str(ready.folder)) == 1
    said = capsys.readouterr()
    assert [json.loads(line)["type"] for line in said.out.splitlines()][-1] == "pipeline.failed/1"
    assert f"run {run_id} failed" in said.err


def test_workers_are_listed_with_what_they_carry_out(ready: Project, capsys: pytest.CaptureFixture[str]) -> None:
    assert ready.cli("workers", "--project", str(ready.folder)) == 0
    assert "no workers" in capsys.readouterr().out
    lease = hold(ready)
    site = bootstrap.site(ready.folder)
    site.workers.heard(replace(site.worker, name=f"{site.worker.host}/1/0"), "worker")  # type: ignore[attr-defined]
    assert ready.cli("workers", "list", "--json", "--project", str(ready.folder)) == 0
    found = {w["role"]: w for w in json.loads(capsys.readouterr().out)}
    assert (found["command"]["runs"], found["command"]["alive"]) == ([lease.run_id], True)
    assert (found["worker"]["runs"], found["worker"]["alive"]) == ([], False), "its process never was"
    assert ready.cli("workers", "--project", str(ready.folder)) == 0
    assert "1 gone" in capsys.readouterr().out
    assert standing(site.queue, lease.run_id) is not None
