"""A process that was stopped past its lease and wakes again publishes nothing: what the other worker makes of the run stands."""

from __future__ import annotations

import os
import signal

import pytest
from tests.faults.conftest import Makes
from tests.faults.counted import APPENDED, MERGED, Counted
from tests.faults.oracle import prove, streams
from tests.faults.processes import Crew, is_gone, state_of


@pytest.mark.parametrize(
    ("state", "sink"), [("sqlite", "files"), ("postgres", "duckdb"), ("sqlite", "postgres"), ("postgres", "sqlite")]
)
def test_a_sleeper_wakes_while_another_goes_on(state: str, sink: str, project: Makes, processes: Crew) -> None:
    counted: Counted = project(state=state, modes=APPENDED if sink in ("files", "sqlite") else MERGED)
    counted.feed()
    run_id = counted.ask()
    early = f"before publishing {sink}"
    worker = processes.start(env=processes.failpoints(f"{early}=stop") | {"HEADRACE_LEASE_SECONDS": "1"})
    sleeper = stopped_at(processes, early)
    worker.process.send_signal(signal.SIGSTOP)  # It would end the sleeper when it sees that the run is another's.
    processes.start(env=processes.failpoints("pipeline.resumed=stop"))
    heir = stopped_at(processes, "pipeline.resumed")
    before = counted.targets()
    os.kill(sleeper, signal.SIGCONT)
    processes.until(lambda: is_gone(sleeper))
    assert counted.targets() == before, "the sleeper published nothing"
    worker.process.send_signal(signal.SIGCONT)
    os.kill(heir, signal.SIGCONT)
    processes.until(lambda: not counted.queue.outstanding())
    prove(counted)
    claims = [e.data["worker"] for e in streams(counted)[run_id] if e.kind == "pipeline.claimed"]
    assert len(set(claims)) == 2


def stopped_at(processes: Crew, point: str) -> int:
    """The process that stopped at a point, once it has."""
    processes.until(lambda: state_of(processes.pid_at(point) or 0) == "T")
    return processes.pid_at(point) or 0
