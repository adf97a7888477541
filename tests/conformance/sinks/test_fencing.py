"""Whoever lost its lease publishes nothing more, and everybody else is let alone: the same for every target."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.conformance.sinks.targets import Target, checkpoint, row, stage

from headrace.business.ports import Checkpoint, Fence, Fenced, Publication, Publisher
from headrace.errors import LeaseLost
from headrace.infrastructure.connectors.fences import FAR_BEHIND

Publish = Callable[[Checkpoint], Publication]


def fenced(publisher: Publisher) -> Fenced:
    assert isinstance(publisher, Fenced)
    return publisher


def publishing(target: Target, folder: Path) -> Publish:
    """Append a row to the target, again and again, each time by a sink that knows nothing of the earlier times."""
    staged = stage(folder / "staged", [row(1, "a")])
    return lambda done: target.sink("append").publish(target.home, staged, done)


def mine(name: str, token: int, issuer: str = "here", pipeline: str = "flights") -> Checkpoint:
    return checkpoint(name, pipeline=pipeline, fence=Fence(issuer, token))


def test_a_lower_token_is_refused_and_nothing_changes(target: Target, tmp_path: Path) -> None:
    publish = publishing(target, tmp_path)
    publish(mine("a", 5))
    before = target.state()
    with pytest.raises(LeaseLost, match="another worker took this run of `flights` over; nothing was published here") as caught:
        publish(mine("b", 4))
    assert caught.value.message.startswith(target.sink("append").target(target.home))
    assert caught.value.hint
    assert target.state() == before


def test_the_same_and_higher_tokens_are_let_in(target: Target, tmp_path: Path) -> None:
    publish = publishing(target, tmp_path)
    assert [publish(mine(name, token)).inserted for name, token in (("a", 5), ("b", 5), ("c", 7))] == [1, 1, 1]
    with pytest.raises(LeaseLost):
        publish(mine("d", 6))
    assert len(target.rows()) == 3


def test_other_issuers_and_other_pipelines_are_let_alone(way: Target, tmp_path: Path) -> None:
    publish = publishing(way, tmp_path)
    publish(mine("a", 5))
    assert publish(mine("b", 1, issuer="there")).inserted == 1
    assert publish(mine("c", 2, pipeline="trains")).inserted == 1
    for late in (mine("d", 4), mine("e", 0, issuer="there"), mine("f", 1, pipeline="trains")):
        with pytest.raises(LeaseLost):
            publish(late)


def test_runs_beside_each_other_count_for_themselves_and_are_forgotten_when_long_past(way: Target, tmp_path: Path) -> None:
    publish = publishing(way, tmp_path)
    publish(mine("a", 7, issuer="here/second"))
    assert publish(mine("b", 5, issuer="here/first")).inserted == 1
    with pytest.raises(LeaseLost):
        publish(mine("c", 6, issuer="here/second"))
    far = 5 + FAR_BEHIND + 1
    publish(mine("d", far, issuer="here/third"))
    with pytest.raises(LeaseLost):
        publish(mine("e", 6, issuer="here/second"))
    assert publish(mine("f", 4, issuer="here/first")).inserted == 1, "the count of a run that ended long ago is forgotten"


def test_names_may_have_quotes_and_any_letters(way: Target, tmp_path: Path) -> None:
    publish = publishing(way, tmp_path)
    for odd in ("it's", 'say "x"; drop', "\\", "é 🦆"):
        assert publish(mine(f"a {odd}", 2, odd, odd)).inserted == 1
        with pytest.raises(LeaseLost):
            publish(mine(f"b {odd}", 1, odd, odd))


def test_who_has_no_fence_is_never_refused_and_forgets_none(way: Target, tmp_path: Path) -> None:
    publish = publishing(way, tmp_path)
    publish(mine("a", 5))
    assert publish(checkpoint("b")).inserted == 1
    with pytest.raises(LeaseLost):
        publish(mine("c", 4))


def test_who_lost_its_lease_learns_it_even_where_its_work_is_done(way: Target, tmp_path: Path) -> None:
    publish = publishing(way, tmp_path)
    publish(mine("a", 5))
    before = way.state()
    assert publish(mine("a", 5)).already
    with pytest.raises(LeaseLost):
        publish(mine("a", 4))
    assert way.state() == before


def test_what_is_there_already_makes_a_token_known_too(way: Target, tmp_path: Path) -> None:
    publish = publishing(way, tmp_path)
    publish(mine("a", 5))
    before = way.shown()
    assert publish(mine("a", 6)).already
    with pytest.raises(LeaseLost):
        publish(mine("b", 5))
    assert way.shown() == before


def test_a_fence_stands_before_its_target_does(target: Target, tmp_path: Path) -> None:
    publish = publishing(target, tmp_path)
    fenced(target.sink("append")).fence(target.home, "flights", Fence("here", 5))
    assert target.rows() == []
    assert list(target.sink("append").ledger(target.home)) == []
    with pytest.raises(LeaseLost):
        publish(mine("old", 4))
    assert target.rows() == []
    assert publish(mine("new", 5)).inserted == 1
    assert [c.name for c in target.sink("append").ledger(target.home)] == ["new"]


def test_a_fence_keeps_the_old_one_out_and_shows_readers_nothing(target: Target, tmp_path: Path) -> None:
    publish = publishing(target, tmp_path)
    publish(mine("a", 4))
    before = target.shown()
    for _ in range(2):
        fenced(target.sink("append")).fence(target.home, "flights", Fence("here", 5))
    assert target.shown() == before
    with pytest.raises(LeaseLost):
        publish(mine("b", 4))
    assert target.shown() == before
    assert publish(mine("b", 5)).inserted == 1


def test_a_fence_that_comes_late_is_refused_itself(way: Target) -> None:
    sink = fenced(way.sink("append"))
    sink.fence(way.home, "flights", Fence("here", 5))
    with pytest.raises(LeaseLost):
        sink.fence(way.home, "flights", Fence("here", 4))
    sink.fence(way.home, "flights", Fence("there", 1))
    sink.fence(way.home, "trains", Fence("here", 1))


def test_a_fence_stands_when_its_target_was_removed(target: Target, tmp_path: Path) -> None:
    publish = publishing(target, tmp_path)
    publish(mine("a", 5))
    target.remove()
    with pytest.raises(LeaseLost):
        publish(mine("b", 4))
    assert publish(mine("b", 5)).inserted == 1


@pytest.mark.parametrize("mode", ["replace", "merge", "scd2"])
def test_every_mode_is_fenced(way: Target, tmp_path: Path, mode: str) -> None:
    sink, staged = way.sink(mode), stage(tmp_path / "staged", [row(1, "new")])
    sink.publish(way.home, stage(tmp_path / "first", [row(1, "old")]), mine("a", 5))
    before = way.state()
    with pytest.raises(LeaseLost):
        sink.publish(way.home, staged, mine("b", 4))
    assert way.state() == before
    sink.publish(way.home, staged, checkpoint("b", day=2, fence=Fence("here", 6)))
    assert ("new" in {r[1] for r in way.rows()}) is True


@pytest.mark.parametrize("mode", ["merge", "replace", "scd2"])
def test_a_run_finds_what_it_published_where_another_beside_it_has_published_since(
    target: Target, tmp_path: Path, mode: str
) -> None:
    sink = target.sink(mode)
    for day, name in enumerate("abc", 1):
        done = checkpoint(name, day=day, fence=Fence(f"here/{name}", day))
        sink.publish(target.home, stage(tmp_path / name, [row(1, name)]), done)
    assert [(c.name, c.was) for c in target.sink(mode).ledger(target.home)] == [("", "a"), ("", "b"), ("c", "")]
    again = sink.publish(target.home, stage(tmp_path / "d", [row(1, "a")]), checkpoint("a", day=4))
    assert not again.already, "whoever wants the earlier state back gets it"
