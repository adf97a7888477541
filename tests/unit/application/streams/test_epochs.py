"""Whatever dies when, every row reaches a sink that keeps epochs exactly once, and any other at least once."""

from __future__ import annotations

from dataclasses import dataclass, field

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.application.streams.epochs import Epochs, OpenSink
from headrace.business.ports import Fence, Publication
from headrace.business.streams.engine import Changes
from headrace.business.streams.state import Saved
from headrace.errors import LeaseLost, NonRetryableError

FENCE = Fence("tests", 1)


class Died(Exception):
    """The process is no more."""


@dataclass
class Store:
    """A store in memory, which outlives the process."""

    kept: dict[int, Saved] = field(default_factory=dict)

    def open(self, fence): ...

    def epochs(self):
        return sorted(self.kept)

    def save(self, saved):
        self.kept = {n: s for n, s in self.kept.items() if n < saved.epoch} | {saved.epoch: saved}

    def load(self, epoch):
        chain = [self.kept[n] for n in sorted(self.kept) if n <= epoch]
        return [saved for saved in chain if saved.epoch >= chain[-1].needs] if chain else []

    def forget(self, before):
        needed = min((s.epoch for s in self.load(before)), default=before)
        self.kept = {n: s for n, s in self.kept.items() if n >= needed}

    def bytes(self):
        return 0

    def close(self): ...


@dataclass
class Outlet:
    """A sink in memory. Without `keeps`, it forgets which epoch it has."""

    keeps: bool = True
    rows: list[int] = field(default_factory=list)
    epoch: int = 0

    def committed(self, fence):
        return self.epoch if self.keeps else None

    def commit(self, epoch, rows):
        if not (self.keeps and epoch <= self.epoch):
            self.rows += rows["n"].to_pylist()
            self.epoch = epoch
        return Publication("memory")

    def close(self): ...


def stream(store, outlets, batches, die_at=None):
    """Take batches of numbers from where the last epoch ended; die at the given one of the points that are reached. Where it came to."""
    points = iter(range(10_000))

    def reached(_point):
        if next(points) == die_at:
            raise Died

    sinks = tuple(OpenSink(str(i), "numbers", outlet, None) for i, outlet in enumerate(outlets))
    epochs = Epochs(store, sinks, FENCE, lambda _step, operation, _system=None: operation(), reached)
    saved = epochs.recover()
    at = saved[-1].facts["at"] if saved else 0
    total = sum(int.from_bytes(s.parts["sum"], "big") for s in saved if "sum" in s.parts)
    assert total == sum(n for batch in batches[:at] for n in batch)
    reach = saved[-1].epoch - saved[-1].needs if saved else -1
    while at < len(batches):
        batch = batches[at]
        at, whole = at + 1, at % 3 == 2
        total += sum(batch)
        reach = 0 if whole else reach + 1
        state = Changes({"sum": (total if whole else sum(batch)).to_bytes(8, "big")}, reach)
        epochs.checkpoint({"at": at}, state, {"numbers": pa.table({"n": batch})}, lambda: None)
        epochs.forget(2)
    epochs.settle({"at": at})
    return at


batches_of_numbers = st.lists(st.lists(st.integers(0, 1000), min_size=1, max_size=3), min_size=1, max_size=6)


@given(batches_of_numbers, st.lists(st.integers(0, 12), max_size=5), st.integers(1, 3))
def test_each_row_reaches_every_sink_that_keeps_epochs_once(batches, deaths, sinks):
    store, outlets = Store(), [Outlet() for _ in range(sinks)]
    for die_at in deaths:
        try:
            stream(store, outlets, batches, die_at)
        except Died:
            continue
    assert stream(store, outlets, batches) == len(batches)
    assert [outlet.rows for outlet in outlets] == [[n for batch in batches for n in batch]] * sinks


@given(batches_of_numbers, st.lists(st.integers(0, 12), max_size=5), st.booleans())
def test_any_other_sink_gets_each_row_at_least_once_and_nothing_after_a_clean_stop(batches, deaths, beside):
    store, plain = Store(), Outlet(keeps=False)
    outlets = [Outlet(), plain] if beside else [plain]
    for die_at in deaths:
        try:
            stream(store, outlets, batches, die_at)
        except Died:
            continue
    stream(store, outlets, batches)
    expected = [n for batch in batches for n in batch]
    assert set(plain.rows) == set(expected)
    assert len(plain.rows) >= len(expected)
    had = len(plain.rows)
    stream(store, outlets, batches)
    assert len(plain.rows) == had


def test_a_stream_whose_state_is_gone_says_so():
    outlet = Outlet()
    stream(Store(), [outlet], [[1], [2]])
    with pytest.raises(NonRetryableError, match="the state of the stream is gone"):
        stream(Store(), [outlet], [[1], [2]])


def test_sinks_that_are_too_far_apart_are_told():
    store, ahead, behind = Store(), Outlet(), Outlet()
    stream(store, [ahead, behind], [[1], [2], [3]])
    behind.epoch, behind.rows = 1, [1]
    with pytest.raises(NonRetryableError, match="from epoch 1 to 3"):
        stream(store, [ahead, behind], [[1], [2], [3]])


def test_a_sink_that_is_new_takes_part_from_the_next_epoch_on():
    store, old, new = Store(), Outlet(), Outlet()
    stream(store, [old], [[1], [2]])
    stream(store, [old, new], [[1], [2], [3]])
    assert (old.rows, new.rows) == ([1, 2, 3], [3])


def test_what_no_epoch_needs_any_more_is_forgotten():
    store = Store()
    stream(store, [Outlet()], [[1]] * 50)
    assert len(store.kept) <= 6


def test_who_begins_anew_is_held_up_by_no_damage_and_yet_by_another_who_holds_the_stream():
    store, outlet = Store(), Outlet()
    stream(store, [outlet], [[1], [2]])

    def begun_anew():
        sinks = (OpenSink("0", "numbers", outlet, None),)
        epochs = Epochs(store, sinks, FENCE, lambda _step, operation, _system=None: operation(), lambda _point: None)
        return epochs.recover(lenient=True), epochs.newest(), epochs.number

    assert begun_anew()[0]
    for error in (NonRetryableError("torn"), LeaseLost("another worker took the stream over")):
        store.load = raising(error)
        if isinstance(error, LeaseLost):
            with pytest.raises(LeaseLost):
                begun_anew()
        else:
            assert begun_anew() == ((), (), 2)


def raising(error):
    def raises(_epoch):
        raise error

    return raises
