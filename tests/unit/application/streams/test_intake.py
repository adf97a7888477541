"""What comes in, and which partitions are silent."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from headrace.application.streams.intake import Elsewhere, Intake
from headrace.business.model.schema import Column, Schema
from headrace.business.model.stream import Watermark
from headrace.business.model.types import Integer
from headrace.business.streams.messages import Decoded, Messages
from headrace.business.streams.state import Saved


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
        self.on_their_way = {}

    def lag(self):
        return self.on_their_way

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


def test_a_partition_whose_messages_are_on_their_way_is_not_idle():
    intake, clock = an_intake()
    listened(intake, clock, 5, "a", "b")
    intake.feed.on_their_way = {"b": 7}
    listened(intake, clock, 30, "a")
    assert intake.watermarks.horizon <= 5.1e6
    intake.feed.on_their_way = {"b": 0}
    listened(intake, clock, 1, "a")
    assert intake.watermarks.horizon > 30e6


def test_after_a_restart_no_partition_is_idle_before_it_was_listened_to():
    intake, clock = an_intake()
    listened(intake, clock, 5, "a", "b")
    listened(intake, clock, 12, "a")
    again, clock = an_intake()
    again.restore(intake.saved())
    clock.now = 17.0
    listened(again, clock, 9, "a")
    assert again.watermarks.horizon == intake.watermarks.horizon
    listened(again, clock, 2, "a")
    assert again.watermarks.horizon > intake.watermarks.horizon


class Played:
    """Numbers taken in, each with the watermark that judges it."""

    def __init__(self, saved=()):
        self.intake, self.clock = an_intake()
        self.intake.wakes.restore(saved)
        self.read = {"a": [], "b": []}

    def take(self, partition, numbers, *, begin):
        places = pa.array(range(begin, begin + len(numbers)), pa.int64())
        self.intake.feed.waiting = [Messages(partition, pa.array([b""] * len(numbers)), places, str(begin + len(numbers) - 1))]
        marks = self.intake.watermarks
        for taken in self.intake.poll(0.0):
            first = int(taken.arrived.positions[0].as_py())
            for number in numbers[first - begin : first - begin + len(taken.arrived.rows)]:
                marks.observe(partition, number)
                self.read[partition].append((number, max(marks.own(partition), marks.horizon or 0)))
        self.intake.advance()

    def be_silent(self, seconds):
        for _ in range(seconds * 4):
            self.clock.now += 0.25
            list(self.intake.poll(0.0))
            self.intake.advance()


numbers = st.lists(st.integers(0, 1000), min_size=1, max_size=6)


@given(st.lists(st.tuples(st.sampled_from(["a", "b", "silence"]), numbers), max_size=12), st.randoms(use_true_random=False))
def test_a_replay_judges_by_what_became_while_a_partition_was_silent_however_it_is_cut_and_mixed(events, chance):
    live, behind, everything = Played(), {"a": 0, "b": 0}, {"a": [], "b": []}
    for kind, found in events:
        if kind == "silence":
            live.be_silent(11)
        else:
            live.take(kind, found, begin=behind[kind])
            behind[kind] += len(found)
            everything[kind] += found
    parts = live.intake.wakes.changes(whole=True).parts
    again, behind = Played([Saved(1, {}, parts)]), {"a": 0, "b": 0}
    while left := [p for p in everything if behind[p] < len(everything[p])]:
        partition = chance.choice(left)
        some = everything[partition][behind[partition] :][: chance.randint(1, 9)]
        again.take(partition, some, begin=behind[partition])
        behind[partition] += len(some)
    assert again.read == live.read


def came(intake, partition, position):
    intake.feed.waiting = [Messages(partition, pa.array([b""]), pa.array([position], pa.int64()), str(position))]
    (taken,) = intake.poll(0.0)
    return taken


def test_a_worker_asks_before_the_first_message_of_a_partition_and_behind_its_sleep():
    asked = []

    def ask(partition):
        asked.append(partition)
        return 1000 + len(asked)

    intake, clock = an_intake(ask)
    intake.restore({"positions": {"a": "1"}, "watermarks": {"highest": {"a": 5}, "horizon": 4}})
    assert [came(intake, p, n).arrived.watermark for p, n in (("a", 2), ("b", 4), ("b", 5))] == [5, 1001, 1001]
    assert asked == ["b"]
    clock.now += 0.1
    list(intake.poll(0.0))
    assert intake.newly_idle() == set()
    for _ in range(110):
        clock.now += 0.1
        list(intake.poll(0.0))
    assert intake.newly_idle() == {"a", "b"}
    assert intake.newly_idle() == set()
    taken = came(intake, "a", 6)
    assert asked == ["b", "a"]
    assert (taken.woken.position, taken.woken.horizon, taken.arrived.watermark) == ("6", 1002, 1002)


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
    assert intake.goes_on("c") == horizon
    listened(intake, clock, 1, "a", "b")
    assert intake.watermarks.horizon == horizon, "it is awake again"
