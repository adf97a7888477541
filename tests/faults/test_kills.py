"""Kills in a row, at random points and moments: no run is left open, no finished stage repeated, no row lost or doubled."""

from __future__ import annotations

from random import Random

import pytest
from tests.faults.conftest import Makes
from tests.faults.counted import APPENDED, MERGED
from tests.faults.oracle import prove, prove_no_litter, workspaces
from tests.faults.processes import Crew
from tests.faults.rampage import Rampage

KILLS = 15


@pytest.mark.parametrize(("state", "modes"), [("sqlite", APPENDED), ("postgres", MERGED)], ids=["sqlite", "postgres"])
def test_random_kills(state: str, modes: dict[str, str], project: Makes, processes: Crew) -> None:
    counted = project(state=state, modes=modes, settings={"lease_seconds": 6})
    counted.by_part()
    rampage = Rampage(counted, processes, Random(state))
    rampage.go(KILLS)
    prove(counted)
    processes.start()
    counted.ask(part="0001")
    # A run says that it has ended, and then clears up.
    processes.until(lambda: not counted.queue.outstanding() and not workspaces(counted))
    prove_no_litter(counted)
