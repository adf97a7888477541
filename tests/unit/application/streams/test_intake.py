"""What comes in, and which partitions are silent."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa

from headrace.application.streams.intake import Elsewhere, Intake
from headrace.business.model.schema import Column, Schema
from headrace.business.model.stream import Watermark
from headrace.business.model.types import Integer
from headrace.business.streams.messages import Decoded, Messages


class Source:
    """Numbers, in the partitions that they are said to be in."""

    replayable = True

    def __init__(self):
        self.columns = {}
        self.format = SimpleNamespace(reader=lambda schema, project: self)

    def read(self, messages):
        return Decoded(pa.RecordBatch.from_arrays([messages.positions], names=["n"]))


class Feed:
    exhausted = False

    def __init__(self):
        self.waiting = []

    def partitions(self):
        return ("a", "b")

    def take(self, wait_seconds):
        found, self.waiting = self.waiting, []
        return [(m, Source().read(m)) for m in found]


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def an_intake(ask=None):
    clock, planned = Clock(), SimpleNamespace(name="numbers", scan=SimpleNamespace(schema=Schema((Column("n", Integer()),))))
    intake = Intake(planned, Source(), Watermark(column="n", idle=timedelta(seconds=10)), Path(), clock, ask=ask)
    intake.feed, intake._partitions = Feed(), ("a", "b")
    return intake, clock


def listened(intake, clock, seconds, *partitions):
    """Look every tenth of a second, while a number comes in each of these partitions."""
    for _ in range(round(seconds * 10)):
        clock.now += 0.1
        numbers = pa.array([round(clock.now * 1e6)], pa.int64())
        intake.feed.waiting = [Messages(p, pa.array([b""]), numbers, str(clock.now)) for p in partitions]
        for taken in intake.poll(0.0):
            intake.watermarks.observe(taken.arrived.partition, taken.arrived.rows["n"][0].as_py())
        intake.advance()


def test_a_silent_partition_holds_windows_open_until_it_is_idle():
    intake, clock = an_intake()
    listened(intake, clock, 5, "a", "b")
    listened(intake, clock, 9, "a")
    held = intake.watermarks.horizon
    assert held <= 5.1e6
    listened(intake, clock, 2, "a")
    assert intake.watermarks.horizon > held + 9e6


def test_it_holds_them_again_from_its_next_message_on_and_that_is_told():
    intake, clock = an_intake()
    listened(intake, clock, 5, "a", "b")
    listened(intake, clock, 12, "a")
    clock.now += 0.1
    intake.feed.waiting = [Messages("b", pa.array([b""]), pa.array([7], pa.int64()), "7")]
    (taken,) = intake.poll(0.0)
    assert (taken.woken.partition, taken.woken.position, taken.woken.horizon) == ("b", "7", intake.watermarks.horizon)


def test_while_nobody_listens_nothing_is_silent():
    intake, clock = an_intake()
    listened(intake, clock, 5, "a", "b")
    clock.now += 3600
    listened(intake, clock, 5, "a")
    assert intake.watermarks.horizon <= 5.1e6


def came(intake, partition, position):
    intake.feed.waiting = [Messages(partition, pa.array([b""]), pa.array([position], pa.int64()), str(position))]
    (taken,) = intake.poll(0.0)
    return taken


def test_a_worker_asks_before_the_first_message_of_a_partition_and_behind_its_sleep():
    asked = []

    def ask(partition, position):
        asked.append((partition, position))
        return 1000 + len(asked)

    intake, clock = an_intake(ask)
    intake.restore({"positions": {"a": "1"}, "idle": ["a"], "watermarks": {"highest": {"a": 5}, "horizon": 7}})
    horizons = [
        came(intake, partition, number).arrived.horizon for partition, number in (("a", 2), ("a", 3), ("b", 4), ("b", 5))
    ]
    assert asked == [("a", "2"), ("b", "4")]
    assert horizons == [1001, 1001, 1002, 1002]
    clock.now += 0.1
    intake.poll(0.0)
    assert intake.newly_idle() == set()
    for _ in range(110):
        clock.now += 0.1
        list(intake.poll(0.0))
    assert intake.newly_idle() == {"a", "b"}
    assert intake.newly_idle() == set()
    came(intake, "b", 6)
    assert asked[2:] == [("b", "6")]


def test_partitions_that_others_read_hold_windows_open_too():
    intake, clock = an_intake()
    intake.elsewhere = Elsewhere(expected=frozenset({1}))
    listened(intake, clock, 5, "a", "b")
    assert intake.watermarks.horizon is None, "the other has not said yet what it reads"
    intake.elsewhere.reads(1, ["c"], {"c": 3}, exhausted=False)
    intake.came("c", "1", 2_000_000)
    listened(intake, clock, 1, "a", "b")
    assert intake.watermarks.horizon == 2_000_000
    intake.fell_asleep("c")
    listened(intake, clock, 1, "a", "b")
    assert (horizon := intake.watermarks.horizon) > 6_000_000
    woken = intake.goes_on("c", "2")
    assert (woken.partition, woken.position, woken.horizon) == ("c", "2", horizon)
    listened(intake, clock, 1, "a", "b")
    assert intake.watermarks.horizon == horizon, "it is awake again"
