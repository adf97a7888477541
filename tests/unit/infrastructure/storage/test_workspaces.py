"""Workspaces: a folder for each run, what lies ready in it, and what is tidied away."""

from __future__ import annotations

from pathlib import Path

from headrace.infrastructure.storage.workspaces import Workspaces


def test_a_note_is_read_back_and_goes_with_the_folder(tmp_path: Path) -> None:
    spaces = Workspaces(tmp_path / "runs")
    folder = spaces.open("r1")
    (folder / "staged").mkdir()
    assert spaces.noted("r1") is None
    spaces.note("r1", {"pipeline": "p", "rows": 3})
    assert spaces.noted("r1") == {"pipeline": "p", "rows": 3}
    spaces.close("r1")
    assert (folder.exists(), spaces.noted("r1")) == (False, None)


def test_a_note_that_was_cut_off_is_none(tmp_path: Path) -> None:
    spaces = Workspaces(tmp_path)
    (spaces.open("r1") / "ready.json").write_text('{"pipeline": "p", "ro')
    assert spaces.noted("r1") is None


def test_what_ended_runs_left_goes_but_what_may_be_gone_on_with_stays(tmp_path: Path) -> None:
    spaces = Workspaces(tmp_path)
    for name in ("going-on", "left", "failed", "failed-of-another"):
        spaces.open(name)
    spaces.note("failed", {"pipeline": "p"})
    spaces.note("failed-of-another", {"pipeline": "q"})
    spaces.tidy({"going-on"})
    assert sorted(f.name for f in tmp_path.iterdir()) == ["failed", "failed-of-another", "going-on"]
    spaces.tidy({"going-on"}, "p")
    assert sorted(f.name for f in tmp_path.iterdir()) == ["failed-of-another", "going-on"]
