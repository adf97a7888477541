"""The epochs of a stream in a ledger: the last one stands for all before it, and for nothing else."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.business.ports import Checkpoint, Fence
from headrace.infrastructure.connectors.ledger import Entry, Ledger, epoch_name, epoch_of, extended, from_json, holds, to_json

AT = datetime(2024, 1, 1, tzinfo=UTC)


def epoch(number: int, stream: str = "s") -> Checkpoint:
    return Checkpoint(epoch_name(stream, number), stream, "run", AT, fence=Fence("database/7", 1))


def published(*checkpoints: Checkpoint, mode: Any = "append") -> Ledger:
    ledger: Ledger = ()
    for checkpoint in checkpoints:
        ledger = extended(ledger, checkpoint, mode)
    return ledger


@given(st.integers(1, 2**60), st.text())
def test_the_name_tells_the_epoch(number: int, stream: str):
    assert epoch_of(Checkpoint(epoch_name(stream, number), stream, "run", AT)) == number


@pytest.mark.parametrize("name", ["epoch", "epoch x of s", "epoch of s", "5 of s", "", "epoch -1 of s"])
def test_other_names_are_no_epochs(name: str):
    assert epoch_of(Checkpoint(name, "s", "run", AT)) is None


@pytest.mark.parametrize("mode", ["append", "merge"])
def test_a_ledger_keeps_one_epoch_of_each_stream_however_long_it_runs(mode: str):
    ledger = published(*(epoch(n, stream) for n in range(1, 200) for stream in ("s", "t")), mode=mode)
    assert [e.checkpoint.name for e in ledger] == ["epoch 199 of s", "epoch 199 of t"]


def test_the_last_epoch_stands_for_all_before_it():
    ledger = published(epoch(5), epoch(9))
    assert [n for n in range(1, 12) if holds(ledger, epoch(n))] == list(range(1, 10))
    assert not holds(ledger, epoch(1, "another"))


@pytest.mark.parametrize("mode", ["append", "replace", "merge"])
def test_a_batch_beside_a_stream_does_not_make_it_forget_its_epoch(mode: Any):
    batch = Checkpoint("batch", "b", "run", AT)
    ledger = extended(published(epoch(5), mode="merge"), batch, mode)
    assert holds(ledger, epoch(5))
    ledger = extended(ledger, epoch(6), "append")
    assert holds(ledger, batch) == (mode != "replace")  # a whole state is that no more when rows come to it
    assert not holds(ledger, epoch(7))


def test_an_epoch_survives_being_written():
    entry = Entry(epoch(7, "a of b"), "append")
    assert epoch_of(from_json(to_json(entry)).checkpoint) == 7
