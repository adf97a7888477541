"""A `headrace serve` or `headrace worker` of our own: what it holds of memory and CPU, and how soon it begins what it is asked for."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from durable.places import Place
from headrace.application.orchestrator.scheduler import request_for
from headrace.bootstrap import parts
from headrace.bus.store import UNKNOWN
from headrace.infrastructure.storage.event_log import EventLog
from headrace.infrastructure.storage.run_queue import DatabaseRunQueue
from measure import HEADRACE, surroundings

TINY = """\
version: 1
pipeline: tiny
sources: {rows: {file: {path: rows.csv}}}
steps: [{filter: x >= 0}]
sinks: [{file: {path: out/}}]
"""
_TICK, _PATIENCE = os.sysconf("SC_CLK_TCK"), 60.0
ENDS = ("pipeline.completed/1", "pipeline.failed/1", "pipeline.cancelled/1")


class Served:
    """A process that serves, and whatever processes it has started."""

    def __init__(self, process: subprocess.Popen[bytes], place: Place) -> None:
        self.process, self.place = process, place
        self.database = place.open()
        self.queue, self.log = DatabaseRunQueue(self.database), EventLog(self.database)

    def pids(self) -> list[int]:
        found = [self.process.pid]
        for pid in found:
            for task in Path(f"/proc/{pid}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
        return found

    def megabytes(self) -> float:
        """What all of them have of memory, each page counted once (PSS)."""
        rollups = [Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in self.pids()]
        return sum(int(line.split()[1]) for text in rollups for line in text.splitlines() if line.startswith("Pss:")) / 1024

    def cpu_seconds(self) -> float:
        fields = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in self.pids()]
        return sum(int(f[11]) + int(f[12]) for f in fields) / _TICK

    def idle_cpu(self, seconds: float) -> float:
        """CPU seconds a minute, over so many seconds in which nobody asks for anything."""
        before = self.cpu_seconds()
        time.sleep(seconds)
        return (self.cpu_seconds() - before) * 60 / seconds

    def run(self) -> dict[str, datetime]:
        """Have one run carried out, and when each event of it happened."""
        loaded = parts.load(self.place.folder / "pipeline.yaml")
        (self.place.folder / "rows.csv").write_text(f"x\n{time.time_ns()}\n")  # other rows each time, so there is work to do
        request = request_for(loaded.definition, self.place.folder, parts.kept(loaded), {}, "command", None, UNKNOWN)
        self.queue.submit(request)
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            times = {event.type.partition("/")[0]: (event.at, event.type) for event in self.log.read(request.run_id)}
            if any(kind in ENDS for _, kind in times.values()):
                if "pipeline.completed" not in times:
                    raise SystemExit(f"a run did not succeed: {list(times)}")
                return {name: at for name, (at, _) in times.items()}
            time.sleep(0.05)
        raise SystemExit(f"a run did not end within {_PATIENCE:.0f} s: {list(times)}")


@contextmanager
def served(place: Place, role: str) -> Iterator[Served]:
    """`headrace serve` or `headrace worker` in a project with one tiny pipeline."""
    (place.folder / "pipeline.yaml").write_text(TINY)
    (place.folder / "rows.csv").write_text("x\n1\n")
    with (place.folder / "serve.log").open("wb") as words:
        process = subprocess.Popen([str(HEADRACE), role], cwd=place.folder, env=surroundings(), stdout=words, stderr=words)
    found = Served(process, place)
    try:
        time.sleep(3)
        yield found
    finally:
        found.database.close()
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)


def delays(place: Place, runs: int) -> tuple[list[float], list[float]]:
    """For each run, the milliseconds from `queued` to `claimed` and to `started`, on a worker that has carried out one before."""
    claimed, started = [], []
    with served(place, "worker") as worker:
        worker.run()
        for _ in range(runs):
            at = worker.run()
            claimed.append((at["pipeline.claimed"] - at["pipeline.queued"]).total_seconds() * 1000)
            started.append((at["pipeline.started"] - at["pipeline.queued"]).total_seconds() * 1000)
    return sorted(claimed), sorted(started)
