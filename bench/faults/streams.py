"""Streams under SIGKILL, for pairs of a broker and a sink: killed at named points and at any moment while events come, then counted: every
event has to have its effect in the sink exactly once.

python -m bench.faults.streams [--kills 100] [--seed 1] [--brokers redis,tail] [--sinks postgres,file]

A start of Python and its libraries takes longer than what is to be interrupted, so processes are forked from one that has imported
them and done nothing else; all that a run does, it does itself.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import yaml
from bench.faults.stream_ends import Broker, Sink, broker, sink
from bench.measure import keep, table
from tests.integration.streams.flows import CONTRACT, COUNTED, events, last_call, windows

BROKERS = ("redis", "kafka", "nats", "rabbitmq stream", "tail", "nats consumer", "rabbitmq queue", "mqtt")
SINKS = ("postgres", "mysql", "sqlite", "duckdb", "file", "delta", "iceberg")
#: How long after its start a process is killed at the most, how long it has to come to a named point, and to catch up at the end.
MOMENTS, POINT, SETTLED = 1.5, 10.0, 4.0
#: How long it may take until all is there, once nothing dies any more, in seconds.
PATIENCE = 400.0


def carry_on(folder: str, failpoints: str, marks: str) -> None:
    """The process that is killed: the stream, until it is."""
    os.chdir(folder)
    os.environ |= {"HEADRACE_FAILPOINTS": failpoints, "HEADRACE_FAILPOINTS_SPENT": marks}
    log = os.open("log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    from headrace import bootstrap

    bootstrap.run(bootstrap.load(Path("pipeline.yaml")))


@dataclass
class Series:
    """One pair, under fire."""

    broker: Broker
    sink: Sink
    folder: Path
    chance: Random
    sent: list[Mapping[str, Any]] = field(default_factory=list)
    died: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._forking = multiprocessing.get_context("forkserver")
        self._forking.set_forkserver_preload(["bench.faults.warm"])
        (self.folder / "headrace.toml").write_text(f"lease_seconds = 3\n{self.broker.settings}")
        # What may come again comes later than it happened, so windows of such a broker are closed when all is there.
        delay = "2 seconds" if self.broker.again else "12 hours"
        source = {"contract": CONTRACT, "watermark": {"column": "at", "delay": delay}, **self.broker.source}
        apart: list[dict[str, Any]] = [] if self.broker.again else [{"dedupe": {"key": "id", "within": "12 hours"}}]
        parts = {
            "pipeline": "counted", "sources": {"events": source}, "steps": [*apart, COUNTED],
            "sinks": [{"name": "target", **self.sink.options}], "stream": "50 ms",
        }  # fmt: skip
        (self.folder / "pipeline.yaml").write_text(yaml.safe_dump(parts, sort_keys=False))

    def go(self, kills: int) -> None:
        with self._coming():
            points = self._points()
            while self.died.total() < kills:
                if self.chance.random() < 0.5:
                    self._at(self.chance.choice(points))
                else:
                    self._whenever(self.chance.uniform(0.0, MOMENTS))

    def settle(self) -> list[tuple[Any, ...]]:
        """Let it come to the end of what was sent; the rows of the sink."""
        if not self.broker.again:  # what the last to die had taken comes again after a while, and windows must not close before
            self._whenever(2 * SETTLED, counts=False)
        for partition in range(len(self.broker.partitions)):
            self.broker.publish(partition, [last_call(86_000)])
        deadline = time.monotonic() + PATIENCE
        wanted, found, patience = len(windows(self.sent)), list(self.sink.look()), SETTLED
        while len(found) < wanted and time.monotonic() < deadline:
            self._whenever(patience, counts=False)
            found, patience = list(self.sink.look()), 2 * patience  # a busy machine may need longer to begin at all
        return found

    def _start(self, failpoints: str = "", marks: Path | None = None) -> Any:
        process = self._forking.Process(target=carry_on, args=(str(self.folder), failpoints, str(marks or "")))
        process.start()
        return process

    def _points(self) -> list[str]:
        """All that a run of this pair passes when it goes on, each at its first and at later passings."""
        for attempt in ("begun", "gone on"):
            marks = self.folder / attempt
            marks.mkdir()
            process = self._start("*=note", marks)
            process.join(POINT)
            self._demand_alive(process)
            process.kill()
            process.join()
        return sorted(path.name for path in marks.iterdir())

    def _at(self, point: str) -> None:
        process = self._start(point)
        process.join(POINT)
        if process.exitcode is None:
            process.kill()
            process.join()
            self.died["moments"] += 1
        else:
            assert process.exitcode == -9, f"it ended by itself, on its way to `{point}`:\n{self._said()}"
            self.died["points"] += 1

    def _whenever(self, seconds: float, *, counts: bool = True) -> None:
        process = self._start()
        process.join(seconds)
        self._demand_alive(process)
        process.kill()
        process.join()
        self.died["moments"] += counts

    def _demand_alive(self, process: Any) -> None:
        assert process.exitcode is None, f"it ended by itself:\n{self._said()}"

    def _said(self) -> str:
        return (self.folder / "log").read_text()[-4000:]

    @contextmanager
    def _coming(self) -> Iterator[None]:
        """While events come, some at a time, to one partition after the other."""
        over, made, turn = threading.Event(), iter(events(200_000)), 0

        def publish() -> None:
            nonlocal turn
            while not over.is_set():
                rows = [row for row, _ in zip(made, range(10), strict=False)]
                self.broker.publish(turn, rows)
                self.sent += rows
                turn += 1
                time.sleep(0.04)

        thread = threading.Thread(target=publish)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def judged(sent: list[Mapping[str, Any]], found: list[tuple[Any, ...]]) -> tuple[int, int]:
    """How many events are not in the sink, and how many are there more than once. Raises where counts agree and sums do not."""
    expected, there = windows(sent), Counter[tuple[str, str]]()
    for start, key, count, *_ in found:
        there[start, key] += int(count)
    missing = sum(max(0, count - there[window]) for window, (count, *_) in expected.items())
    doubled = sum(max(0, count - expected.get(window, (0,))[0]) for window, count in there.items() if window[1] != "end")
    if not missing and not doubled:
        sums = {(start, key): (int(n), int(total), int(highest)) for start, key, n, total, highest in found if key != "end"}
        assert sums == expected, "the counts are right, and the sums are not"
    return missing, doubled


def row(from_: str, to: str, kills: int, seed: int) -> list[str]:
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="headrace-kills-") as home, broker(from_, Path(home)) as source:  # noqa: SIM117
        with sink(to, Path(home)) as target:
            series = Series(source, target, Path(home), Random(f"{seed} {from_} {to}"))
            series.go(kills)
            missing, doubled = judged(series.sent, series.settle())
    died = series.died
    figures = [died["points"], died["moments"], f"{len(series.sent):,}", missing, doubled, f"{time.monotonic() - begun:.0f} s"]
    told = [f"{from_} → {to}", *map(str, figures)]
    print(*told, sep="  ", flush=True)
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--brokers", default=",".join(BROKERS))
    parser.add_argument("--sinks", default=",".join(SINKS))
    options = parser.parse_args()
    pairs = [(from_, to) for to in options.sinks.split(",") for from_ in options.brokers.split(",")]
    rows = [row(from_, to, options.kills, options.seed) for from_, to in pairs]
    header = ["pair", "killed at points", "at moments", "events", "missing", "doubled", "took"]
    keep("streams-under-kills", {row[0]: dict(zip(header[1:], row[1:], strict=True)) for row in rows}, table(header, rows))
    if any(int(row[4]) or int(row[5]) for row in rows):
        raise SystemExit("events were lost or doubled")


if __name__ == "__main__":
    main()
