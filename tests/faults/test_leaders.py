"""Two serving processes, and the one that leads is killed: each tick gets its run, and none gets two."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from tests.faults.conftest import Makes
from tests.faults.counted import Counted
from tests.faults.oracle import prove, streams
from tests.faults.processes import Crew, Started

TICKS = 10


def ticks(counted: Counted) -> list[datetime]:
    """For which ticks runs were asked for, in order of time."""
    queued = [e.data["key"] for stream in streams(counted).values() for e in stream if e.kind == "pipeline.queued"]
    return sorted(datetime.fromisoformat(key.removeprefix("schedule:counted:")) for key in queued)


def leads(started: Started) -> bool:
    return "this process leads" in started.words()


@pytest.mark.parametrize("state", ["sqlite", "postgres"])
def test_no_tick_is_lost_or_doubled_when_the_leader_is_killed(state: str, project: Makes, processes: Crew) -> None:
    schedule = {"every": "1 second", "catch_up": "all"}
    counted = project(state=state, modes={"sqlite": "append"}, settings={"lease_seconds": 6}, parts={"schedule": schedule})
    counted.feed()
    both = [processes.start("serve"), processes.start("serve")]
    processes.until(lambda: len(ticks(counted)) >= 3)
    leader = next(started for started in both if leads(started))
    before = len(ticks(counted))
    leader.kill()
    (other,) = (started for started in both if started is not leader)
    processes.until(lambda: leads(other) and len(ticks(counted)) >= max(TICKS, before + 3))
    other.stop()
    processes.start()
    processes.until(lambda: not counted.queue.outstanding())
    found = ticks(counted)
    assert found == [found[0] + timedelta(seconds=i) for i in range(len(found))]
    prove(counted)
