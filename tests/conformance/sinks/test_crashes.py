"""A publication that dies anywhere leaves the target as it was or as it was to become, and the next one succeeds."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from tests.conformance.sinks.crasher import CRASHED, Crasher
from tests.conformance.sinks.store_target import StoreTarget
from tests.conformance.sinks.targets import WAYS_AND_MODES, FileTarget, Row, Target, checkpoint, row, stage

from headrace.business.ports import Checkpoint, Staged

KILLED = -9


def rows_of_round(number: int) -> list[Row]:
    """Some keys stay, some change, some are new."""
    return [row(n, "same" if n % 2 else f"round {number}") for n in range(number, number + 6)]


def job(target: Target, mode: str, staged: Staged, done: Checkpoint) -> tuple[Any, ...]:
    return target.plugin, target.spec(mode), target.home, "publish", (staged, done)


def look(target: Target) -> list[Row]:
    return target.rows("CAST(id AS VARCHAR), name")


def held(target: Target, mode: str, name: str) -> bool:
    return any(c.name == name for c in target.sink(mode).ledger(target.home))


def check_and_mend(target: Target, mode: str, staged: Staged, done: Checkpoint, before: list[Row]) -> None:
    """What a crash left is one of the two states, and publishing again brings the second."""
    left, had = look(target), held(target, mode, done.name)
    again = target.sink(mode).publish(target.home, staged, done)
    after = look(target)
    assert left == (after if had else before)
    assert again.already == had
    assert held(target, mode, done.name)


@pytest.mark.parametrize(("way", "mode"), WAYS_AND_MODES, indirect=["way"])
def test_a_crash_between_any_two_steps(way: Target, crasher: Crasher, tmp_path: Path, mode: str) -> None:
    before, step, status = look(way), 0, CRASHED
    while status == CRASHED:
        step += 1
        staged, done = stage(tmp_path / f"staged-{step}", rows_of_round(step)), checkpoint(f"c{step}", day=step)
        status, _ = crasher.carry_out(job(way, mode, staged, done), stop_at=step)
        check_and_mend(way, mode, staged, done, before)
        assert not litter(way)
        before = look(way)
    assert status == 0
    assert step > 3


@pytest.mark.parametrize(("way", "mode"), WAYS_AND_MODES, indirect=["way"])
def test_a_kill_at_any_moment(way: Target, crasher: Crasher, tmp_path: Path, mode: str) -> None:
    chance = random.Random(mode)
    first = stage(tmp_path / "first", rows_of_round(0))
    status, seconds = crasher.carry_out(job(way, mode, first, checkpoint("c0")))
    assert status == 0
    before = look(way)
    for number in range(1, 5):
        staged, done = stage(tmp_path / f"staged-{number}", rows_of_round(number)), checkpoint(f"c{number}", day=number + 1)
        status, _ = crasher.carry_out(job(way, mode, staged, done), kill_after=chance.uniform(0.001, seconds))
        assert status in (0, KILLED)
        check_and_mend(way, mode, staged, done, before)
        before = look(way)
    # what a killed client had sent may come to be there after the publication that mended it had looked around
    last = stage(tmp_path / "last", rows_of_round(5))
    way.sink(mode).publish(way.home, last, checkpoint("last", day=9))
    assert not litter(way)


def litter(target: Target) -> list[str]:
    """What lies beside the target and is not its own."""
    if isinstance(target, StoreTarget):
        return target.litter()
    if not isinstance(target, FileTarget):
        return []
    own = {target.path.name, f".{target.path.name}.manifest.json", f".{target.path.name}.headrace-fences"}
    return [p.name for p in target.home.iterdir() if p.name not in own]
