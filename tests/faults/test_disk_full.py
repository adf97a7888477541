"""Files that cannot grow any more while a run stages: nothing half-made is visible, and with room again all comes right.

A full disk needs a disk of its own to be filled. A limit on the size of files (RLIMIT_FSIZE) makes the same calls fail in the same
places, with "File too large" in the place of "No space left on device".
"""

from __future__ import annotations

import pytest
from tests.faults.conftest import Makes
from tests.faults.counted import MERGED
from tests.faults.oracle import prove, prove_no_litter, streams
from tests.faults.processes import Crew

from headrace.application.queries.runs import fold

#: The first process that comes here can write no file beyond a few bytes from then on.
FULL = """
import resource
from pathlib import Path

def step(table):
    mark = Path(__file__).with_name("called")
    if not mark.exists():
        mark.touch()
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200, hard))
    return table
"""


@pytest.mark.parametrize("state", ["sqlite", "postgres"])
def test_there_is_no_room_to_stage(state: str, project: Makes, processes: Crew) -> None:
    steps = [{"python": {"call": "full.py:step"}}, {"derive": {"twice": "v * 2"}}]
    counted = project(state=state, modes=MERGED, parts={"steps": steps})
    (counted.folder / "full.py").write_text(FULL)
    counted.feed()
    first = counted.ask()
    processes.start()
    processes.until(lambda: not counted.queue.outstanding())
    run = fold(first, streams(counted)[first])
    if state == "postgres":
        assert run.state == "failed"
        assert not any(counted.targets().values())
        assert "arge" in run.error["message"], "it says what the disk said"
        counted.ask()
        processes.until(lambda: not counted.queue.outstanding())
    else:
        assert run.attempt == 2, "where not even the failure can be put on record, the run is somebody else's"
    counted.ask()
    processes.until(lambda: not counted.queue.outstanding())
    prove(counted, states=("failed", "succeeded"))
    prove_no_litter(counted)
