"""What each mode means, the same for every target."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.conformance.sinks.targets import MODES, Target, checkpoint, row, stage

from headrace.errors import NonRetryableError


@pytest.mark.parametrize("mode", MODES)
def test_the_rows_that_were_staged_are_there(target: Target, tmp_path: Path, mode: str) -> None:
    staged = stage(tmp_path / "staged", [row(1, "a"), row(2, ""), row(3, None)], files=2)
    done = target.sink(mode).publish(target.home, staged, checkpoint("a"))
    assert (done.inserted, done.updated, done.deleted, done.unchanged, done.already) == (3, 0, 0, 0, False)
    assert target.rows() == [
        (n, t, "1.10") if isinstance(r[0], int) else (str(n), t, "1.10")
        for r, n, t in zip(target.rows(), (1, 2, 3), ("a", "", None), strict=True)
    ]


@pytest.mark.parametrize("mode", MODES)
def test_publishing_twice_changes_nothing(target: Target, tmp_path: Path, mode: str) -> None:
    staged = stage(tmp_path / "staged", [row(n) for n in range(5)])
    sink = target.sink(mode)
    sink.publish(target.home, staged, checkpoint("a"))
    before = target.state()
    again = sink.publish(target.home, staged, checkpoint("a"))
    assert again.already
    assert again.inserted == again.updated == again.deleted == again.unchanged == 0
    assert target.state() == before


@pytest.mark.parametrize("mode", MODES)
def test_no_rows_are_rows_too(target: Target, tmp_path: Path, mode: str) -> None:
    sink = target.sink(mode)
    assert sink.publish(target.home, stage(tmp_path / "none", []), checkpoint("none")).inserted == 0
    assert target.rows() == []
    sink.publish(target.home, stage(tmp_path / "one", [row(1, "a")]), checkpoint("one", day=2))
    assert len(target.rows()) == 1
    assert [c.name for c in sink.ledger(target.home) if c.name][-1] == "one"


def test_append_adds(target: Target, tmp_path: Path) -> None:
    sink = target.sink("append")
    for name, numbers in {"a": (1, 2), "b": (2, 3), "c": (4,)}.items():
        sink.publish(target.home, stage(tmp_path / name, [row(n, name) for n in numbers]), checkpoint(name))
    assert [str(r[0]) + str(r[1]) for r in target.rows()] == ["1a", "2a", "2b", "3b", "4c"]
    assert sink.publish(target.home, stage(tmp_path / "again", [row(1, "a")]), checkpoint("a")).already


def test_replace_takes_the_place_of_all(target: Target, tmp_path: Path) -> None:
    sink = target.sink("replace")
    first, second = stage(tmp_path / "a", [row(1, "a"), row(2, "a")]), stage(tmp_path / "b", [row(3, "b")])
    sink.publish(target.home, first, checkpoint("a"))
    done = sink.publish(target.home, second, checkpoint("b"))
    assert (done.inserted, done.deleted) == (1, 2)
    assert [str(r[0]) for r in target.rows()] == ["3"]
    back = sink.publish(target.home, first, checkpoint("a"))
    assert not back.already, "an earlier state is published again when its inputs come back"
    assert [str(r[0]) for r in target.rows()] == ["1", "2"]


def test_merge_touches_only_what_changed(target: Target, tmp_path: Path) -> None:
    sink = target.sink("merge")
    sink.publish(target.home, stage(tmp_path / "a", [row(n, "old") for n in range(6)]), checkpoint("a"))
    staged = stage(tmp_path / "b", [row(1, "new"), row(2, "old"), row(4, None), row(9, "new")])
    done = sink.publish(target.home, staged, checkpoint("b"))
    assert (done.inserted, done.updated, done.unchanged, done.deleted) == (1, 2, 1, 0)
    assert [(str(r[0]), r[1]) for r in target.rows()] == [
        ("0", "old"), ("1", "new"), ("2", "old"), ("3", "old"), ("4", None), ("5", "old"), ("9", "new"),
    ]  # fmt: skip
    done = sink.publish(target.home, staged, checkpoint("c"))
    assert (done.inserted, done.updated, done.unchanged) == (0, 0, 4)


@pytest.mark.parametrize("deleted", ["keep", "close"])
def test_scd2_keeps_every_version(target: Target, tmp_path: Path, deleted: str) -> None:
    sink = target.sink("scd2", deleted=deleted)
    sink.publish(target.home, stage(tmp_path / "a", [row(1, "old"), row(2, "old"), row(3, "old")]), checkpoint("a", day=1))
    done = sink.publish(
        target.home, stage(tmp_path / "b", [row(1, "new"), row(2, "old"), row(4, "new")]), checkpoint("b", day=2)
    )
    assert (done.inserted, done.updated, done.unchanged, done.deleted) == (1, 1, 1, int(deleted == "close"))
    third = stage(tmp_path / "c", [row(1, "new"), row(2, "old"), row(3, "back"), row(4, "new")])
    assert sink.publish(target.home, third, checkpoint("c", day=3)).unchanged == 3
    columns = "id, name, CAST(valid_from AS VARCHAR), CAST(valid_to AS VARCHAR), is_current"
    found = [(str(i), n, f[:10], t and t[:10], str(c).lower() in ("true", "1")) for i, n, f, t, c in target.rows(columns)]
    gone = "2024-01-03" if deleted == "close" else "2024-01-04"
    assert sorted(found, key=repr) == sorted([
        ("1", "old", "2024-01-02", "2024-01-03", False), ("1", "new", "2024-01-03", None, True),
        ("2", "old", "2024-01-02", None, True),
        ("3", "old", "2024-01-02", gone, False), ("3", "back", "2024-01-04", None, True),
        ("4", "new", "2024-01-03", None, True),
    ], key=repr)  # fmt: skip


def test_a_version_cannot_end_before_it_began(target: Target, tmp_path: Path) -> None:
    sink = target.sink("scd2")
    sink.publish(target.home, stage(tmp_path / "a", [row(1, "old")]), checkpoint("a", day=5))
    before = target.state()
    with pytest.raises(NonRetryableError, match="too late"):
        sink.publish(target.home, stage(tmp_path / "b", [row(1, "new")]), checkpoint("b", day=4))
    assert target.state() == before


@pytest.mark.parametrize("mode", ["merge", "scd2"])
@pytest.mark.parametrize(
    ("rows", "message"), [([row(1), row(1, "x")], "more than one row"), ([(None, *row(1)[1:])], "null in their key")]
)
def test_rows_that_the_key_cannot_tell_apart_are_refused(
    target: Target, tmp_path: Path, mode: str, rows: list, message: str
) -> None:
    sink = target.sink(mode)
    sink.publish(target.home, stage(tmp_path / "a", [row(1, "old")]), checkpoint("a"))
    before = target.state()
    with pytest.raises(NonRetryableError, match=message):
        sink.publish(target.home, stage(tmp_path / "b", rows), checkpoint("b", day=2))
    assert target.state() == before


@pytest.mark.parametrize("mode", MODES)
def test_the_ledger_says_what_was_read(target: Target, tmp_path: Path, mode: str) -> None:
    sink = target.sink(mode)
    assert sink.ledger(target.home) == () or list(sink.ledger(target.home)) == []
    for day, name in enumerate("abc", 1):
        sink.publish(target.home, stage(tmp_path / name, [row(day)]), checkpoint(name, day=day))
    ledger = sink.ledger(target.home)
    assert [f.path for c in ledger for f in c.inputs["source"]] == ["in/a.csv", "in/b.csv", "in/c.csv"]
    assert [c.name for c in ledger] == (["a", "b", "c"] if mode == "append" else ["", "", "c"])
    assert [c.cursors.get("cursor") for c in ledger][-1] == "c"
    assert ledger[-1] == checkpoint("c", day=3)
