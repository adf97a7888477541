"""What a ledger remembers, for how long, and what it lets go."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.business.ports import Checkpoint, Fence, InputFile, Position
from headrace.infrastructure.connectors.ledger import REMEMBERED, Ledger, Mode, checkpoints, extended, from_json, holds, to_json

MODES = st.sampled_from(["append", "replace", "merge", "scd2"])


def point(name: str, *files: str, cursor: str | None = None, pipeline: str = "p") -> Checkpoint:
    inputs = {"source": tuple(InputFile(f, 1, 2, f"hash of {f}") for f in files)} if files else {}
    at = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds=len(name))
    return Checkpoint(name, pipeline, "run", at, inputs, {"source": Position(cursor)} if cursor else {})


def after(*steps: tuple[Checkpoint, Mode]) -> Ledger:
    ledger: Ledger = ()
    for checkpoint, mode in steps:
        ledger = extended(ledger, checkpoint, mode)
    return ledger


def test_what_was_appended_is_known_for_ever() -> None:
    ledger = after((point("a"), "append"), (point("b"), "append"), (point("r"), "replace"), (point("c"), "append"))
    assert all(holds(ledger, point(name)) for name in "abc")


def test_a_state_is_known_until_another_takes_its_place() -> None:
    ledger = after((point("a"), "replace"), (point("b"), "replace"))
    assert holds(ledger, point("b"))
    assert not holds(ledger, point("a"))
    assert len(ledger) == 1


def test_merges_of_different_pipelines_do_not_forget_each_other() -> None:
    mine, theirs = point("a", pipeline="p"), point("b", pipeline="q")
    assert holds(after((mine, "merge"), (theirs, "merge")), mine)
    assert not holds(after((mine, "merge"), (theirs, "replace")), mine)


def test_each_input_is_kept_once_and_only_the_newest_cursor() -> None:
    ledger = after((point("a", "1", "2", cursor="5"), "append"), (point("b", "2", "3", cursor="9"), "append"))
    assert [[f.path for f in c.inputs["source"]] for c in checkpoints(ledger)] == [["1"], ["2", "3"]]
    assert [dict(c.cursors) for c in checkpoints(ledger)] == [{}, {"source": "9"}]


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from("abcdef"), st.sets(st.sampled_from("123456")), MODES, st.sampled_from("pq")), max_size=12
    )
)
def test_no_input_is_ever_forgotten_nor_kept_twice_by_a_pipeline(steps: list[tuple[str, set[str], Mode, str]]) -> None:
    ledger = after(*((point(name, *sorted(files), pipeline=owner), mode) for name, files, mode, owner in steps))
    for owner in "pq":
        read = [f.path for c in checkpoints(ledger) if c.pipeline == owner for fs in c.inputs.values() for f in fs]
        assert sorted(read) == sorted(set().union(*(files for _, files, _, p in steps if p == owner)))


@settings(deadline=None)
@given(st.lists(st.tuples(st.text(min_size=1, max_size=8), MODES), max_size=5), st.text(max_size=5))
def test_an_entry_survives_being_written(steps: list[tuple[str, Mode]], cursor: str) -> None:
    ledger = after(*((point(name, name, cursor=cursor), mode) for name, mode in steps))
    assert tuple(from_json(to_json(entry)) for entry in ledger) == ledger


def test_a_year_of_replacements_is_one_entry() -> None:
    assert len(after(*((point(f"day {n}", "the file"), "replace") for n in range(365)))) == 1


def beside(number: int, mode: Mode = "merge") -> tuple[Checkpoint, Mode]:
    """A publication of one of several runs that go on beside each other."""
    return replace(point(f"day {number}"), run_id=f"run {number}", fence=Fence(f"here/run {number}", number)), mode


def test_runs_beside_each_other_find_what_they_published_also_when_it_was_overtaken() -> None:
    ledger = after(beside(1), beside(2, "replace"), beside(3, "scd2"))
    assert [(c.name, c.was, c.run_id) for c in checkpoints(ledger)] == [
        ("", "day 1", "run 1"), ("", "day 2", "run 2"), ("day 3", "", "run 3"),
    ]  # fmt: skip
    assert not holds(ledger, point("day 1")), "the state is another by now, and may be published again"
    assert tuple(from_json(to_json(entry)).checkpoint.was for entry in ledger) == ("day 1", "day 2", "")


def test_of_what_was_overtaken_the_newest_are_remembered() -> None:
    ledger = after(*(beside(n) for n in range(REMEMBERED + 50)))
    assert [c.was for c in checkpoints(ledger)] == [*(f"day {n}" for n in range(49, REMEMBERED + 49)), ""]
