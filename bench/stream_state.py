"""A stream that keeps much: what its checkpoints cost, for how long they stop it, how long it takes to go on, and how its folder grows.

    python bench/stream_state.py [--keys 1000000] [--checkpoints 100] [--only window,totals]
    python bench/stream_state.py --growing [--only dedupe,join,totals]   # what a batch costs, as the state grows

Batches of 20,000 typed rows go through the session of the engine, and after each there is a checkpoint into the store of the state folder, synced to
disk; the sink counts and forgets. A stop is anything during which no further batch can be taken in. `window` keeps a group for each key in a
window that stays open, `totals` gives out all groups that changed at each checkpoint.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import pyarrow as pa

from headrace.application.streams.epochs import Epochs, OpenSink
from headrace.business.engine import Limits
from headrace.business.model.schema import Schema
from headrace.business.model.types import Float, String, Timestamp
from headrace.business.ports import Fence, Publication
from headrace.business.processing.plan import Resolved
from headrace.business.processing.planning import build_plan
from headrace.business.streams.engine import Arrived, Judged, StreamSession
from headrace.business.streams.messages import MessageScan
from headrace.business.streams.state import Saved
from headrace.business.streams.watermarks import Watermarks
from headrace.infrastructure.catalog import Catalog
from headrace.infrastructure.engines.duckdb.engine import DuckDBEngine
from headrace.infrastructure.loader import load_text
from headrace.infrastructure.storage.state_folder import FolderStateStore
from measure import keep, table

SOURCE = """
    contract:
      columns:
        id: {type: string, required: true}
        at: {type: timestamp, required: true}
        amount: {type: float64, at_least: 0}
    watermark: {column: at, delay: 2 seconds}
"""
STEPS = {
    "window": "aggregate: {window: {tumbling: 1 day}, by: [id], measures: {events: count(*), mean: avg(amount)}}",
    "totals": "aggregate: {emit: change, by: [id], measures: {events: count(*), mean: avg(amount)}}",
    "dedupe": "dedupe: {key: id, within: 1 day}",
    "join": "join: {with: others, on: {id: id}, suffix: _others, within: 1 day}",
}
SCHEMA = Schema.of(id=String(), at=Timestamp(), amount=Float(64))
ARROW = pa.schema({"id": pa.string(), "at": pa.timestamp("us"), "amount": pa.float64()})
BEGIN, BATCH = 1_704_067_200_000_000, 20_000


class Forgetting:
    """A sink that counts, and keeps nothing."""

    def __init__(self) -> None:
        self.epoch = self.rows = 0

    def committed(self, fence: Fence) -> int | None:  # noqa: ARG002
        return self.epoch

    def commit(self, epoch: int, rows: pa.Table) -> Publication:
        self.epoch, self.rows = epoch, self.rows + len(rows)
        return Publication("nowhere", inserted=len(rows))

    def close(self) -> None: ...


def opened(step: str, folder: Path) -> StreamSession:
    sources = "".join(f"  {name}:\n    file: {name}.parquet{SOURCE}" for name in ("events", "others"))
    text = f"pipeline: bench\nsources:\n{sources}steps:\n  - {STEPS[step]}\n    from: events\n    name: made\n"
    text += "sinks:\n  - file: {path: out/, mode: append}\n    from: made\n"
    if step != "join":
        text = text.replace(f"  others:\n    file: others.parquet{SOURCE}", "")
    definition = load_text(text, "bench.yaml", catalog=Catalog(), env={}).definition
    names = ("events", "others") if step == "join" else ("events",)
    plan = build_plan(definition, {name: Resolved(MessageScan(SCHEMA)) for name in names})
    return DuckDBEngine(Limits(threads=2)).stream(plan, folder / "a" / "b" / "c", folder)


def rows_of(ids: list[int], at: int, chance: random.Random) -> pa.RecordBatch:
    columns = [
        pa.array([f"key{i:09}" for i in ids]),
        pa.array([at + i for i in range(len(ids))], pa.int64()).cast(pa.timestamp("us")),
        pa.array([chance.random() for _ in ids]),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=ARROW)


def taken(session: StreamSession, arrived: Arrived) -> Judged:
    worked = session.work(arrived)
    session.take_in(worked)
    return worked.judged


class Stopwatch:
    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = {}
        self.cpu: dict[str, list[float]] = {}

    def __call__(self, what: str, work: Callable[[], Any]) -> Any:
        begun, used = time.perf_counter(), time.process_time()
        found = work()
        self.seconds.setdefault(what, []).append(time.perf_counter() - begun)
        self.cpu.setdefault(what, []).append(time.process_time() - used)
        return found

    def told(self, what: str) -> list[str]:
        """Wall and processor time, in milliseconds: the median and the most."""
        both = zip(sorted(self.seconds[what]), sorted(self.cpu[what]), strict=True)
        found = [f"{1000 * wall:.0f}; {1000 * cpu:.0f}" for wall, cpu in both]
        return [found[len(found) // 2], found[-1]]


def bytes_in(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def attempted(step: str, operation: Callable[[], Any], system: str | None = None) -> Any:  # noqa: ARG001
    return operation()


def much(step: str, keys: int, checkpoints: int) -> tuple[list[list[str]], dict[str, Any]]:
    """Fill the state with so many keys, then go through checkpoints of 20,000 rows each, then die and go on."""
    chance = random.Random(3)
    order = list(range(keys))
    chance.shuffle(order)
    with tempfile.TemporaryDirectory() as made:
        folder, sink = Path(made), Forgetting()
        store = FolderStateStore(folder / "state")

        def epochs() -> Epochs:
            sinks = (OpenSink("sink", "made", sink, None),)
            return Epochs(store, sinks, Fence("bench", 1), attempted, lambda _: None)

        session, going = opened(step, folder / "one"), epochs()
        going.recover()
        marks, watch, sizes = Watermarks(2_000_000), Stopwatch(), [0]

        def batch(ids: list[int], at: int) -> None:
            rows = rows_of(ids, at, chance)
            arrived = Arrived("events", "0", rows, pa.array(range(len(rows))), marks.own("0"), marks.horizon)
            judged = watch("batch", lambda: taken(session, arrived))
            marks.observe("0", judged.highest)
            if (horizon := marks.advance(["0"], ())) is not None:
                watch("advance", lambda: session.advance(horizon))

        def checkpoint() -> None:
            output = session.drain()
            facts = {"sources": {}}
            going.checkpoint(facts, session.changes(), output, lambda: None)
            going.forget(10)

        for begin in range(0, keys, BATCH):
            batch(order[begin : begin + BATCH], BEGIN + begin)
            checkpoint()
        watch = Stopwatch()
        for nth in range(checkpoints):
            batch(chance.choices(range(keys), k=BATCH), BEGIN + keys + nth * BATCH)
            watch("checkpoint", checkpoint)
            sizes.append(bytes_in(folder / "state"))
        kept = dict(session.measures())
        session.close()
        session, going = opened(step, folder / "two"), epochs()
        watch("recovery", lambda: session.restore(going.recover()))
        assert kept.keys() == session.measures().keys()
        session.close()
    growth = [after - before for before, after in pairwise(sizes[1:])]
    figures = {"seconds": watch.seconds, "cpu": watch.cpu, "sizes": sizes, "kept": kept}
    row = [
        f"{step}, {keys:,} keys", *watch.told("checkpoint"), watch.told("batch")[1], watch.told("recovery")[1],
        f"{max(sizes) / 1e6:.0f}", f"{max(growth) / 1e6:.1f}",
    ]  # fmt: skip
    return [row], figures


def growing(step: str, most: int) -> tuple[list[list[str]], dict[str, Any]]:
    """What a batch costs in processor time, by its size and by that of the state. Half of its keys are known; of `dedupe` a tenth."""
    sizes = sizes_to(most)
    costs: dict[tuple[int, int], dict[int, float]] = {epoch: {} for epoch in ((1, 200), (20, 200), (5, BATCH))}
    for size in sizes:
        with tempfile.TemporaryDirectory() as made:
            folder, chance = Path(made), random.Random(3)
            session = opened(step, folder)
            for begin in range(0, size, BATCH):
                taken(session, arrived("events", list(range(begin, min(begin + BATCH, size))), BEGIN + begin, chance))
                session.drain(), session.changes()
            full = Saved(1, {}, session.changes(whole=True).parts)
            for batches, rows in costs:
                found = [epoch_on_top(session, step, full, size, batches, rows, chance) for _ in range(5)]
                costs[batches, rows][size] = median(found)
            session.close()
    shown = [
        [
            f"{step}, {rows:,} rows, {batches} to an epoch",
            *(f"{1000 * cost:.1f}" for cost in found.values()),
            f"{found[most] / found[1_000]:.2f}",
        ]
        for (batches, rows), found in costs.items()
    ]
    return shown, {"costs": {f"{batches} x {rows}": found for (batches, rows), found in costs.items()}}


def sizes_to(most: int) -> list[int]:
    return sorted({1_000, most // 10, most})


def epoch_on_top(
    session: StreamSession, step: str, full: Saved, size: int, batches: int, rows: int, chance: random.Random
) -> float:
    """The processor time of each batch of an epoch where so many keys are kept."""
    session.restore([full])
    taken(session, arrived("events", [-1], BEGIN + size, chance))  # what is done once after going on
    session.drain()
    known = rows // (10 if step == "dedupe" else 2)
    ids = [
        chance.choices(range(size), k=known) + chance.choices(range(size, 1000 * size), k=rows - known) for _ in range(batches)
    ]
    came = [arrived("others" if step == "join" else "events", each, BEGIN + size, chance) for each in ids]
    begun = time.process_time()
    for each in came:
        taken(session, each)
    session.drain()
    return (time.process_time() - begun) / batches


def arrived(source: str, ids: list[int], at: int, chance: random.Random) -> Arrived:
    return Arrived(source, "0", rows_of(ids, at, chance), pa.array(range(len(ids))), at - 2_000_000, at - 2_000_000)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--keys", type=int, default=1_000_000)
    options.add_argument("--checkpoints", type=int, default=100)
    options.add_argument("--growing", action="store_true")
    options.add_argument("--only")
    chosen = options.parse_args()
    default = "dedupe,join,totals" if chosen.growing else "window,totals"
    found = {}
    for step in (chosen.only or default).split(","):
        found[step] = growing(step, chosen.keys) if chosen.growing else much(step, chosen.keys, chosen.checkpoints)
    if chosen.growing:
        header = ["CPU ms of a batch, rows kept:", *(f"{size:,}" for size in sizes_to(chosen.keys)), "times"]
    else:
        header = ["", "checkpoint, p50 ms", "most", "batch, most", "recovery", "folder MB", "most growth MB"]
    shown = table(header, [row for rows, _ in found.values() for row in rows])
    keep("stream-state-growing" if chosen.growing else "stream-state", {s: f for s, (_, f) in found.items()}, shown)


if __name__ == "__main__":
    main()
