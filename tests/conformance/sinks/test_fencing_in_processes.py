"""Fences hold where processes are stopped, woken and killed, and agree with a simple model whatever several workers do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.conformance.sinks.crasher import CRASHED, LATER, LOST, Crasher
from tests.conformance.sinks.lake_targets import LakeTarget
from tests.conformance.sinks.store_target import StoreTarget
from tests.conformance.sinks.targets import WAYS_AND_MODES, DuckDBTarget, Target, checkpoint, row, stage
from tests.conformance.sinks.test_crashes import check_and_mend, job, litter, look
from tests.conformance.sinks.test_fencing import fenced, mine

from headrace.business.ports import Fence, Staged
from headrace.errors import LeaseLost, RetryableError


def fencing(target: Target, token: int) -> tuple[Any, ...]:
    return target.plugin, target.spec("append"), target.home, "fence", ("flights", Fence("here", token))


def refuses(target: Target, folder: Path, token: int) -> bool:
    """Whether a publication with this token is refused."""
    try:
        target.sink("append").publish(target.home, stage(folder / f"probe-{token}", [row(9)]), mine(f"probe {token}", token))
    except LeaseLost:
        return True
    return False


@pytest.mark.parametrize("there", [False, True], ids=["new", "there"])
@pytest.mark.parametrize("mode", ["append", "replace"])
def test_who_was_stopped_before_it_published_and_wakes_too_late(
    way: Target, crasher: Crasher, tmp_path: Path, mode: str, there: bool
) -> None:
    sink = way.sink(mode)
    if there:
        sink.publish(way.home, stage(tmp_path / "first", [row(0, "first")]), mine("first", 1))
    slow, quick = stage(tmp_path / "slow", [row(1, "slow")]), stage(tmp_path / "quick", [row(2, "quick")])
    with crasher.paused(job(way, mode, slow, mine("slow", 1)), at="about to publish") as wake:
        fenced(sink).fence(way.home, "flights", Fence("here", 2))
        sink.publish(way.home, quick, mine("quick", 2))
        left = way.state()
        assert wake() == LOST
    assert way.state() == left
    assert "quick" in {name for _, name in look(way)}
    assert not litter(way)


def test_who_was_stopped_and_wakes_before_anyone_published(way: Target, crasher: Crasher, tmp_path: Path) -> None:
    slow = stage(tmp_path / "slow", [row(1, "slow")])
    with crasher.paused(job(way, "append", slow, mine("slow", 1)), at="about to publish") as wake:
        fenced(way.sink("append")).fence(way.home, "flights", Fence("here", 2))
        assert wake() == LOST
    assert look(way) == []


def test_who_is_stopped_while_it_publishes_keeps_others_waiting_but_not_for_ever(
    way: Target, crasher: Crasher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from headrace.infrastructure.connectors import mysql_table, postgres_sink

    monkeypatch.setitem(postgres_sink._SETTINGS, "lock_timeout", "10ms")
    monkeypatch.setattr(mysql_table, "LOCK_SECONDS", 0)
    slow, quick = stage(tmp_path / "slow", [row(1, "slow")]), stage(tmp_path / "quick", [row(2, "quick")])
    sink = way.sink("append", **way.impatient)
    with crasher.paused(job(way, "append", slow, mine("slow", 1)), at="fence written") as wake:
        if isinstance(way, StoreTarget | LakeTarget):  # nothing is locked: others go first, and who was stopped comes too late
            fenced(sink).fence(way.home, "flights", Fence("here", 2))
            sink.publish(way.home, quick, mine("quick", 2))
            assert wake() == (LOST if isinstance(way, LakeTarget) else LATER)
            assert [name for _, name in look(way)] == ["quick"]
            return
        with pytest.raises(RetryableError) as caught:
            fenced(sink).fence(way.home, "flights", Fence("here", 2))
        assert caught.value.hint
        with pytest.raises(RetryableError):
            sink.publish(way.home, quick, mine("quick", 2))
        assert wake() == 0, "it had begun in time, and nobody was let in meanwhile"
    fenced(sink).fence(way.home, "flights", Fence("here", 2))
    assert refuses(way, tmp_path, 1)
    assert [name for _, name in look(way)] == ["slow"]


@pytest.mark.parametrize(
    ("way", "mode"),
    [
        *((way, mode) for way, mode in WAYS_AND_MODES if mode in ("append", "replace")),
        ("delta", "append"),
        ("iceberg", "append"),
    ],
    indirect=["way"],
)
def test_a_crash_between_any_two_steps_of_a_fenced_publication(
    way: Target, crasher: Crasher, tmp_path: Path, mode: str
) -> None:
    before, step, status = look(way), 0, CRASHED
    while status == CRASHED:
        step += 1
        staged = stage(tmp_path / f"staged-{step}", [row(step, f"round {step}")])
        done = mine(f"c{step}", step)
        status, _ = crasher.carry_out(job(way, mode, staged, done), stop_at=step)
        check_and_mend(way, mode, staged, done, before)
        assert refuses(way, tmp_path, step - 1)
        before = look(way)
    assert status == 0
    assert step > 4
    assert not litter(way)


@pytest.mark.parametrize("there", [False, True], ids=["new", "there"])
def test_a_crash_between_any_two_steps_of_fencing(way: Target, crasher: Crasher, tmp_path: Path, there: bool) -> None:
    if there:
        way.sink("append").publish(way.home, stage(tmp_path / "first", [row(0, "first")]), mine("first", 1))
    before, step, status = look(way), 0, CRASHED
    while status == CRASHED:
        step += 1
        status, _ = crasher.carry_out(fencing(way, step * 10), stop_at=step)
        assert look(way) == before
        fenced(way.sink("append")).fence(way.home, "flights", Fence("here", step * 10))
        assert refuses(way, tmp_path, step * 10 - 1)
        assert look(way) == before
    assert status == 0
    assert step > 1
    assert way.sink("append").publish(way.home, stage(tmp_path / "last", [row(8)]), mine("last", step * 10)).inserted == 1
    assert not litter(way)


@dataclass(frozen=True)
class Act:
    """A worker fences a pipeline, or publishes a name for it."""

    name: str | None
    pipeline: str
    fence: Fence | None

    @property
    def published(self) -> str:
        return f"{self.pipeline}-{self.name}"


FENCES = st.builds(Fence, st.sampled_from(["here", "there"]), st.integers(1, 4))
PIPELINES = st.sampled_from(["p", "q"])
ACTS = st.one_of(
    st.builds(Act, st.none(), PIPELINES, FENCES),
    st.builds(Act, st.sampled_from("abc"), PIPELINES, st.none() | FENCES),
)


class Model:
    """What a target should do: the highest token of each pipeline and issuer, and the names that were published."""

    def __init__(self) -> None:
        self.highest: dict[tuple[str, str], int] = {}
        self.published: list[str] = []

    def outcome(self, act: Act) -> str:
        if act.fence is not None:
            key = act.pipeline, act.fence.issuer
            if act.fence.token < self.highest.get(key, 0):
                return "lost"
            self.highest[key] = act.fence.token
        if act.name is None:
            return "fenced"
        if act.published in self.published:
            return "already"
        self.published.append(act.published)
        return "published"


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(acts=st.lists(ACTS, min_size=2, max_size=9))
def test_whatever_several_workers_do_a_target_does_as_the_model(
    way: Target, tmp_path_factory: pytest.TempPathFactory, acts: list[Act]
) -> None:
    folder = tmp_path_factory.mktemp("model")
    target, model = way.anew(folder / "home"), Model()
    acts = acts[:4] if isinstance(way, LakeTarget | DuckDBTarget) else acts  # each commit of theirs takes a tenth of a second
    names = sorted({act.published for act in acts if act.name is not None})
    staged = {name: stage(folder / name, [row(1, name)]) for name in names}
    before = target.shown()
    for act in acts:
        expected = model.outcome(act)
        assert carried_out(target, staged, act) == expected
        now = target.shown()
        assert (now == before) == (expected != "published")
        before = now
    assert [name for _, name in look(target)] == sorted(model.published)


def carried_out(target: Target, staged: Mapping[str, Staged], act: Act) -> str:
    sink = target.sink("append")
    try:
        if act.name is None:
            assert act.fence is not None
            fenced(sink).fence(target.home, act.pipeline, act.fence)
            return "fenced"
        name = act.published
        done = sink.publish(target.home, staged[name], checkpoint(name, pipeline=act.pipeline, fence=act.fence))
    except LeaseLost:
        return "lost"
    return "already" if done.already else "published"
