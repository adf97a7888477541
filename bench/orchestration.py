"""What the durable orchestrator costs: records of a run, the log, claims, the way from a trigger to a start, an idle `serve`; and peers.

    python bench/orchestration.py                    # everything; peers whose rooms exist (`make bench-peers`)
    python bench/orchestration.py --only disk,records,log,claims --folder /dev/shm/bench

Both databases keep what was committed when the power fails, so a commit takes what the disk takes, which stands in the first line.
In a folder in memory, what is left is ours.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

from durable import claims, contestants, log, serving
from durable.places import SETTINGS, Places, places
from measure import DATA, keep, table

Line = tuple[str, str, str, str]
KINDS = tuple(SETTINGS)


def disk(found: Places) -> Iterator[Line]:
    """What no commit and no statement can be faster than, now: neighbours slow these down as they do ours."""
    path, times = found.folder / "synced", []
    with path.open("wb", buffering=0) as file:
        for _nth in range(500):
            file.write(b"x" * 4096)
            begun = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append((time.perf_counter() - begun) * 1000)
    yield "4 kB written and synced to this disk, by nobody's program", *(f"{median(times):.2f} ms",) * 2, ""
    each = [_best(lambda kind=kind: log.bare_commits(found.empty(kind, "bare")), max) for kind in KINDS]
    yield "a row inserted and committed by a bare driver", *(f"{rate:,.0f}/s" for rate in each), ""
    each = [_best(lambda kind=kind: log.question(found.empty(kind, "question")), min) for kind in KINDS]
    yield "a question to the database, and its answer", *(f"{s * 1000:.2f} ms" for s in each), ""


def records(found: Places) -> Iterator[Line]:
    each = [_best(lambda kind=kind: log.stage_of_a_run(found.empty(kind, "stage")), min) for kind in KINDS]
    yield (
        "records of a durable step: lease renewed, two events appended, committed",
        *(f"{s * 1000:.2f} ms" for s in each),
        "3 ms",
    )


def appends(found: Places) -> Iterator[Line]:
    each = [_best(lambda kind=kind: log.single_appends(found.empty(kind, "single")), max) for kind in KINDS]
    yield "events appended and committed one by one", *(f"{rate:,.0f}/s" for rate in each), "1,000/s"
    both = [[log.batched_appends(found.empty(kind, "batch")) for _ in range(ROUNDS)] for kind in KINDS]
    for nth, (what, bound) in enumerate(
        (("appended in batches of 1,000", "20,000/s"), ("replayed, 20,000 of them", "100,000/s"))
    ):
        yield f"events {what}", *(f"{max(pair[nth] for pair in pairs):,.0f}/s" for pairs in both), bound


def claimed(found: Places) -> Iterator[Line]:
    each = [[claims.claim_all(found.empty(kind, "claims")) for _ in range(ROUNDS)] for kind in KINDS]
    rates = [max(c.per_second for c in of) for of in each]
    yield "runs claimed and ended by three processes, 1,200 in the queue", *(f"{rate:,.0f}/s" for rate in rates), "200/s"
    yield "of them claimed or ended twice, in all rounds", *(str(sum(c.twice for c in of)) for of in each), "0"


def starts(found: Places) -> Iterator[Line]:
    each = [serving.delays(found.empty(kind, "starts"), RUNS) for kind in KINDS]
    for nth, what in enumerate(("claimed", "started: definition read, sources looked at, planned")):
        shown = (f"{median(of[nth]):.0f} ({of[nth][int(len(of[nth]) * 0.95)]:.0f}) ms" for of in each)
        yield f"from `queued` to {what}: median (p95) of {RUNS}", *shown, "100 ms"


def idle(found: Places) -> Iterator[Line]:
    memory, cpu = [], []
    for kind in KINDS:
        with serving.served(found.empty(kind, "idle"), "serve") as served:
            cpu.append(served.idle_cpu(60))
            before = served.megabytes()
            served.run()
            time.sleep(5)
            memory.append(f"{before:.0f}, {served.megabytes():.0f} MB")
    yield "`headrace serve` with all its processes: after an idle minute, and after a run", *memory, "120 MB"
    yield "its CPU, idle", *(f"{seconds:.1f} s/min" for seconds in cpu), ""


PARTS: dict[str, Callable[[Places], Iterator[Line]]] = {
    "disk": disk, "records": records, "log": appends, "claims": claimed, "starts": starts, "idle": idle,
}  # fmt: skip
ROUNDS, RUNS = 3, 50


def _best(once: Callable[[], float], choose: Callable[..., float]) -> float:
    """Of some rounds: what else the machine does can only slow it down."""
    return choose(once() for _ in range(ROUNDS))


def measured(names: list[str], where: Path) -> None:
    lines: list[Line] = []
    with places(where) as found:
        for name in names:
            for line in PARTS[name](found):
                print(*line, sep="\t", file=sys.stderr)
                lines.append(line)
    header = ["", *(f"{kind} ({SETTINGS[kind]})" for kind in KINDS), "bound"]
    keep("orchestration", {line[0]: line[1:] for line in lines}, table(header, lines))


def peers(rounds: int) -> None:
    found = contestants.compete(rounds)
    rows = [
        [f.name, f"{f.five.wall_seconds:.1f}", f"{f.five.cpu_seconds:.2f}", f"{f.step_wall:.1f}", f"{f.step_cpu:.1f}"]
        for f in found
    ]
    header = ["five steps that do nothing", "wall s", "CPU s", "each further step, wall ms", "CPU ms"]
    keep("orchestration-peers", {f.name: vars(f) for f in found}, table(header, rows))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help=f"of {', '.join((*PARTS, 'peers'))}")
    parser.add_argument("--rounds", type=int, default=3, help="of the peers")
    parser.add_argument("--folder", type=Path, default=DATA / "durable", help="where the databases are")
    options = parser.parse_args()
    names = options.only.split(",") if options.only else [*PARTS, "peers"]
    if missing := [name for name in names if name not in (*PARTS, "peers")]:
        raise SystemExit(f"there is no {missing[0]}; there are {', '.join((*PARTS, 'peers'))}")
    if chosen := [name for name in names if name != "peers"]:
        measured(chosen, options.folder)
    if "peers" in names:
        peers(options.rounds)


if __name__ == "__main__":
    main()
