"""`headrace serve` and `headrace worker` as real processes: schedules run, versions change under them, SIGTERM lets runs end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from headrace import bootstrap
from headrace.application.orchestrator.queue import RunRequest
from headrace.application.queries.runs import RunView, fold

PATIENCE = 60.0
SLOW = """
import time
def rows():
    time.sleep({seconds})
    return [{{"x": 1}}]
"""


class Served:
    """A project, and the processes that were started for it."""

    def __init__(self, project: Path) -> None:
        self.project = project
        self.started: list[subprocess.Popen[str]] = []

    def start(self, *words: str) -> subprocess.Popen[str]:
        with (self.project / f"log{len(self.started)}").open("w") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "headrace", *words, "--project", str(self.project)],
                stdout=log, stderr=log, text=True, env={**os.environ, "NO_COLOR": "1"},
            )  # fmt: skip
        self.started.append(process)
        return process

    def stop(self) -> None:
        for process in self.started:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            process.wait()

    def runs(self) -> list[RunView]:
        store = bootstrap.event_store(self.project)
        streams = dict.fromkeys(e.stream for e in store.read(types=("pipeline.queued/1",)))
        return [fold(stream, store.read(stream)) for stream in streams]

    def until(self, true: Callable[[list[RunView]], bool]) -> list[RunView]:
        deadline = time.monotonic() + PATIENCE
        while not true(runs := self.runs()):
            logs = "\n".join(f.read_text() for f in sorted(self.project.glob("log*")))
            assert time.monotonic() < deadline, f"{[(r.id, r.state, r.reason, r.error) for r in runs]}\n{logs}"
            time.sleep(0.1)
        return runs

    def submit(self, file: Path, **options: object) -> str:
        loaded = bootstrap.load(file)
        site = bootstrap.site(self.project)
        request = RunRequest(
            f"run-{len(self.runs())}",
            loaded.definition.pipeline,
            str(self.project),
            definition=bootstrap.kept(loaded),
            **options,
        )  # type: ignore[arg-type]
        return site.queue.submit(request)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    (tmp_path / "headrace.toml").write_text("lease_seconds = 5\n")
    (tmp_path / "in.csv").write_text("x\n1\n2\n")
    served = Served(tmp_path)
    try:
        yield served
    finally:
        served.stop()


def define(served: Served, extra: str = "", source: str = "file: {path: in.csv}", name: str = "p") -> Path:
    file = served.project / f"{name}.yaml"
    file.write_text(f"pipeline: {name}\nsources: {{rows: {{{source}}}}}\nsinks: [{{file: {{path: {name}.csv}}}}]\n{extra}")
    return file


def test_a_served_folder_runs_its_schedules_and_takes_new_versions(served: Served) -> None:
    define(served, "schedule: {every: 1 second}\n")
    served.start("serve")
    served.until(lambda runs: sum(r.state == "succeeded" for r in runs) >= 2)
    assert (served.project / "p.csv").read_text().splitlines() == ["x", "1", "2"]
    before = {e.data["definition"] for e in bootstrap.event_store(served.project).read(types=("pipeline.queued/1",))}
    define(served, "schedule: {every: 1 second}\nsteps: [{derive: {y: x + 1}}]\n")
    served.until(lambda _runs: (served.project / "p.csv").read_text().startswith("x,y"))
    after = {e.data["definition"] for e in bootstrap.event_store(served.project).read(types=("pipeline.queued/1",))}
    assert len(after - before) == 1
    states = {r.state for r in served.runs()}
    assert states <= {"succeeded", "queued", "waiting", "running"}


def test_a_worker_that_is_told_to_stop_lets_its_run_come_to_its_end_and_begins_no_other(served: Served) -> None:
    (served.project / "slow.py").write_text(SLOW.format(seconds=3))
    first = define(served, source="python: {call: 'slow.py:rows', schema: {x: int64}}")
    second = define(served, name="q")
    worker = served.start("worker", "--parallel", "1")
    served.submit(first)
    served.until(lambda runs: any(r.state == "running" and r.started_at for r in runs))
    served.submit(second)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(timeout=PATIENCE) == 0
    assert [r.state for r in served.runs()] == ["succeeded", "queued"]
    assert bootstrap.site(served.project).workers.any_alive() is False  # type: ignore[attr-defined]


def test_what_a_worker_cannot_end_in_time_goes_on_with_another(served: Served) -> None:
    (served.project / "slow.py").write_text(SLOW.format(seconds=4))
    file = define(served, source="python: {call: 'slow.py:rows', schema: {x: int64}}")
    worker = served.start("worker", "--drain", "0")
    served.submit(file)
    served.until(lambda runs: any(r.state == "running" and r.started_at for r in runs))
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(timeout=PATIENCE) == 0
    assert [r.state for r in served.runs()] == ["waiting"]
    served.start("worker")
    (run,) = served.until(lambda runs: all(r.state == "succeeded" for r in runs))
    assert run.attempt == 2


def test_a_run_that_takes_too_long_is_stopped(served: Served) -> None:
    (served.project / "slow.py").write_text(SLOW.format(seconds=600))
    file = define(served, source="python: {call: 'slow.py:rows', schema: {x: int64}}")
    served.start("worker")
    served.submit(file, timeout_seconds=1.0)
    (run,) = served.until(lambda runs: all(r.state == "failed" for r in runs))
    assert run.error is not None
    assert run.error["error"] == "TimedOut"


def test_a_definition_that_does_not_load_fails_its_run_with_the_place(served: Served) -> None:
    file = define(served, "steps: [{derive: {y: x + nothing}}]\n")
    served.start("worker")
    served.submit(file)
    (run,) = served.until(lambda runs: all(r.state == "failed" for r in runs))
    assert run.error is not None
    assert "p.yaml:4:" in run.error["message"]
    assert "nothing" in run.error["message"]
