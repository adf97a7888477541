"""200 kills in a row, of workers and of the processes of runs, at random points and moments, with either state database.

python -m bench.faults.kills [--kills 200] [--seed 1]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from pathlib import Path
from random import Random

from bench.measure import keep, table
from tests.faults.counted import APPENDED, MERGED, Counted
from tests.faults.oracle import prove, streams
from tests.faults.processes import crew
from tests.faults.rampage import Rampage
from tests.integration.postgres_server import PostgresServer


def row(state: str, kills: int, seed: int, server: PostgresServer) -> list[str]:
    """One series, judged; a failure is an AssertionError that names the run."""
    begun = time.monotonic()
    modes = APPENDED if state == "sqlite" else MERGED
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "project"
        counted = Counted(home, server.url(), state, modes, {"lease_seconds": 6, "attempts": 1000})  # type: ignore[arg-type]
        counted.by_part()
        with crew(home, patience=600) as processes:
            rampage = Rampage(counted, processes, Random(seed))
            rampage.go(kills)
            prove(counted)
            found, kills = streams(counted), rampage.kills
        counted.database.close()
    kinds = Counter(event.kind for stream in found.values() for event in stream)
    made = rampage.made
    figures = [kills, *made.values(), len(found), kinds["pipeline.lease_lost"], kinds["pipeline.resumed"]]
    return [state, *map(str, figures), f"{sum(counted.expected.values()):,}", "0", f"{time.monotonic() - begun:.0f} s"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rows = []
    for state in ("sqlite", "postgres"):
        server = PostgresServer().start()
        try:
            rows.append(row(state, options.kills, options.seed, server))
        finally:
            server.remove()
    header = [
        "state in", "kills", "of workers", "of runs' processes", "at named points", "runs, all ended once", "taken over",
        "resumed behind a durable stage", "rows in each of 4 targets", "lost or doubled", "took",
    ]  # fmt: skip
    keep("kills", {row[0]: dict(zip(header[1:], row[1:], strict=True)) for row in rows}, table(header, rows))


if __name__ == "__main__":
    main()
