"""A run that dies while another of its pipeline publishes comes back without undoing what the other did, and without doing it twice."""

from __future__ import annotations

import os
import signal
from collections import Counter

import pytest
from tests.faults.conftest import Makes
from tests.faults.counted import APPENDED, ROWS, SINKS, Counted, Rows
from tests.faults.oracle import prove, streams
from tests.faults.processes import Crew, state_of

from headrace.application.queries.quarantine import held_rows

ALL_MERGED = dict.fromkeys(SINKS, "merge")


def stopped_at(point: str, counted: Counted, processes: Crew, **params: str) -> tuple[str, int]:
    """A run that stands still at a point: its id and its process."""
    run_id = counted.ask(**params)
    processes.dying_at(f"{point}=stop")
    processes.until(lambda: (pid := processes.pid_at(point)) and state_of(pid) == "T")
    return run_id, processes.pid_at(point) or 0


def corrected(counted: Counted) -> Rows:
    """Another file with the same keys and newer values."""
    path = counted.folder / "in" / "0002.csv"
    path.write_text("id,v\n" + "".join(f"{i},{i % 7 + 100}\n" for i in range(ROWS)))
    return Counter((i, i % 7 + 100, (i % 7 + 100) * 2) for i in range(ROWS))


@pytest.mark.parametrize("sink", SINKS)
def test_a_merge_that_nobody_was_told_of_is_not_done_again_over_a_newer_one(sink: str, project: Makes, processes: Crew) -> None:
    counted = project(modes=ALL_MERGED)
    counted.by_part()
    counted.feed()
    newer = corrected(counted)
    run_id, pid = stopped_at(f"published {sink}", counted, processes, part="0001")
    other = counted.ask(priority=10, part="0002")
    os.kill(pid, signal.SIGKILL)
    processes.until(lambda: not counted.queue.outstanding())

    ended = [(e.stream, e.kind) for e in counted.store.read() if e.kind == "pipeline.completed"]
    assert ended == [(other, "pipeline.completed"), (run_id, "pipeline.completed")], "the other published in between"
    told = {e.data["sink"]: e.data["already"] for e in streams(counted)[run_id] if e.kind == "data.stored"}
    assert told[sink], "the run recognises its own publication"
    untold = SINKS.index(sink)
    for name, rows in counted.targets().items():
        if SINKS.index(name) <= untold:  # To the sinks behind it, the first run published after the second.
            assert rows == newer, name


@pytest.mark.parametrize("point", ["staged", "published duckdb"])
def test_what_was_staged_is_not_published_where_another_run_came_between(point: str, project: Makes, processes: Crew) -> None:
    """The other has read the same file and one more, so its publication has another name, and rows would be appended twice."""
    counted = project(modes=APPENDED)
    counted.feed()
    run_id, pid = stopped_at(point, counted, processes)
    counted.feed()
    counted.ask(priority=10)
    os.kill(pid, signal.SIGKILL)
    processes.until(lambda: not counted.queue.outstanding())
    assert {name: rows == counted.expected for name, rows in counted.targets().items()} == dict.fromkeys(SINKS, True)
    story = streams(counted)[run_id]
    assert [e.kind for e in story].count("pipeline.overtaken") == 1
    assert story[-1].data["unchanged"], "nothing was left for it to do"
    held = {h.run_id: h.open_rows for h in held_rows(counted.store)}
    assert held.get(run_id, 0) == 0, "what it held back stands in the other's quarantine"
    if point == "staged":
        prove(counted)
