"""A process that dies at any named point loses nothing and repeats nothing: whoever comes after it brings the run to its end."""

from __future__ import annotations

import os
import signal

import pytest
from tests.faults.conftest import Makes
from tests.faults.counted import APPENDED, MERGED, Counted
from tests.faults.oracle import prove, prove_no_litter, streams
from tests.faults.processes import Crew, is_gone, state_of

from headrace.application.orchestrator.failpoints import OF_PUBLICATIONS, OF_RUNS, OF_WORKERS

OF_SINKS = [point.format(sink) for sink in APPENDED for point in OF_PUBLICATIONS]
WITHIN_SINKS = [
    "sink about to publish@2", "sink fence written@3", "sink manifest written", "sink a file written", "sink synced", "sink table ready@2",
    "sink rows written@3", "sink ledger written@2", "sink committed", "sink committed@2", "sink committed@3",
]  # fmt: skip
EVERY = [*OF_RUNS, *OF_SINKS, *WITHIN_SINKS]
TELLING = [
    "claimed", "appending", "appended", "ingested", "staged", "audited", "published files", "told of postgres", "sink ledger written@2",
    "sink committed@3", "before completed", "pipeline.completed",
]  # fmt: skip


def has_ended(project: Counted) -> bool:
    return not project.queue.outstanding()


def finish(project: Counted, processes: Crew) -> None:
    """Wait for what was accepted, let one more run find nothing to do and tidy up, and judge."""
    processes.until(lambda: has_ended(project))
    project.ask()
    processes.until(lambda: has_ended(project))
    prove(project)
    prove_no_litter(project)


def lost(project: Counted, run_id: str) -> list[str]:
    return [event.data["why"] for event in streams(project)[run_id] if event.kind == "pipeline.lease_lost"]


@pytest.mark.parametrize("point", TELLING)
def test_the_process_of_a_run_dies_and_its_worker_goes_on(point: str, project: Makes, processes: Crew) -> None:
    counted = project(modes=APPENDED if len(point) % 2 else MERGED)
    counted.feed()
    run_id = counted.ask()
    processes.dying_at(point)
    finish(counted, processes)
    assert processes.pid_at(point.partition("@")[0]) is not None, "the point was passed"
    assert lost(counted, run_id) == ([] if point == "pipeline.completed" else ["killed by SIGKILL"])


@pytest.mark.parametrize(("state", "modes"), [("sqlite", APPENDED), ("sqlite", MERGED), ("postgres", MERGED)])
def test_one_run_survives_a_death_at_every_point_in_turn(
    state: str, modes: dict[str, str], project: Makes, processes: Crew
) -> None:
    counted = project(state=state, modes=modes)
    counted.feed()
    run_id = counted.ask()
    points = [point.partition("@")[0] for point in EVERY]
    processes.dying_at(",".join(points))
    finish(counted, processes)
    assert [point for point in points if processes.pid_at(point) is None] == []
    assert len(lost(counted, run_id)) == len(set(points)) - 1, "one death came behind the end of the run"


@pytest.mark.parametrize(
    ("state", "point"), [*(("sqlite", p) for p in OF_WORKERS), ("postgres", "claim made"), ("postgres", "child ended")]
)
def test_a_worker_dies_and_is_started_again(state: str, point: str, project: Makes, processes: Crew) -> None:
    counted = project(state=state)
    counted.feed()
    counted.ask()
    worker = processes.dying_at(point)
    processes.until(lambda: worker.process.poll() is not None)
    assert worker.process.returncode == -signal.SIGKILL
    processes.start()
    finish(counted, processes)


@pytest.mark.parametrize(("state", "point"), [("sqlite", "ingested"), ("sqlite", "published sqlite"), ("postgres", "staged")])
def test_a_worker_dies_while_another_is_there(state: str, point: str, project: Makes, processes: Crew) -> None:
    counted = project(state=state, modes=MERGED, settings={"lease_seconds": 6})
    counted.feed()
    counted.ask()
    worker = processes.dying_at(f"{point}=stop")
    processes.until(lambda: (pid := processes.pid_at(point)) and state_of(pid) == "T")
    processes.start()
    worker.kill()
    pid = processes.pid_at(point) or 0
    os.kill(pid, signal.SIGCONT)
    processes.until(lambda: is_gone(pid))
    finish(counted, processes)
