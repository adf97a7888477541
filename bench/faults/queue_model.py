"""The queue beside its plain model for at least 100,000 steps, on SQLite.

python -m bench.faults.queue_model [--steps 100000]
"""

from __future__ import annotations

import argparse
import time

from bench.measure import keep, table
from hypothesis.stateful import run_state_machine_as_test
from tests.faults.queue_model import QueueModel
from tests.faults.test_queue_model import bounded

EACH = 100


class Counting(QueueModel):
    """The same, which counts its steps."""

    steps = 0

    def check_invariants(self, *arguments: object, **options: object) -> None:
        Counting.steps += 1
        super().check_invariants(*arguments, **options)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=100_000)
    wanted, begun = parser.parse_args().steps, time.monotonic()
    while Counting.steps < wanted:
        run_state_machine_as_test(Counting, settings=bounded(max(1, min(100, wanted // EACH)), EACH))
    rows = [["SQLite", f"{Counting.steps:,}", "0", f"{time.monotonic() - begun:.0f} s"]]
    keep("queue-model", {"steps": Counting.steps}, table(["state in", "steps", "differences", "took"], rows))


if __name__ == "__main__":
    main()
