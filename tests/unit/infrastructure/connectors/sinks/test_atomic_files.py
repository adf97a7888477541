"""Folders change places whole, crashed publications are tidied up, and only one publishes at a time."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from headrace.errors import RetryableError
from headrace.infrastructure.connectors import atomic_files


def folder(path: Path, text: str) -> Path:
    path.mkdir(parents=True)
    (path / "file").write_text(text)
    return path


@pytest.fixture(params=["one act", "two renames"])
def _each_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "two renames":
        monkeypatch.setattr(atomic_files, "exchange", lambda a, b: False)


@pytest.mark.usefixtures("_each_way")
def test_a_new_state_takes_the_place_of_the_last(tmp_path: Path) -> None:
    target = tmp_path / "out"
    for text in ("first", "second"):
        atomic_files.put_folder(folder(atomic_files.new_beside(target), text), target)
        assert (target / "file").read_text() == text
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_a_crash_between_two_renames_is_mended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = folder(tmp_path / "out", "old")

    class Crash(BaseException):
        pass

    def reached(point: str) -> None:
        if point == "moved away":
            raise Crash

    monkeypatch.setattr(atomic_files, "exchange", lambda a, b: False)
    monkeypatch.setattr(atomic_files.milestones, "reached", reached)
    with pytest.raises(Crash):
        atomic_files.put_folder(folder(atomic_files.new_beside(target), "new"), target)
    assert not target.exists()
    aside = atomic_files.aside(target)
    assert aside is not None
    assert (aside / "file").read_text() == "old"
    atomic_files.tidy(target)
    assert (target / "file").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_tidying_up_touches_nothing_else(tmp_path: Path) -> None:
    target = folder(tmp_path / "out", "x")
    litter = folder(atomic_files.new_beside(target), "litter")
    others = [
        folder(tmp_path / name, "x")
        for name in (".out", ".outer.headrace-new-1", "out.headrace-new-1", ".other.headrace-new-1")
    ]
    atomic_files.tidy(target)
    assert not litter.exists()
    assert all(other.exists() for other in others)


def test_an_exchange_is_one_act_here(tmp_path: Path) -> None:
    a, b = folder(tmp_path / "a", "a"), folder(tmp_path / "b", "b")
    assert atomic_files.exchange(a, b)
    assert ((a / "file").read_text(), (b / "file").read_text()) == ("b", "a")
    with pytest.raises(FileNotFoundError):
        atomic_files.exchange(a, tmp_path / "none")


def test_only_one_publishes_at_a_time(tmp_path: Path) -> None:
    target = tmp_path / "out"
    with (
        atomic_files.publishing_lock(target),
        pytest.raises(RetryableError, match="another run is publishing"),
        atomic_files.publishing_lock(target),
    ):
        pass
    with atomic_files.publishing_lock(target):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_lock_left_by_a_crash_is_free(tmp_path: Path) -> None:
    target = tmp_path / "out"
    tmp_path.joinpath(".out.headrace-lock").touch()
    with atomic_files.publishing_lock(target):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_file_system_without_links_gets_copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "a"
    source.write_text("text")

    def refuse(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    atomic_files.link_or_copy(source, tmp_path / "b")
    assert (tmp_path / "b").read_text() == "text"
    assert (tmp_path / "b").stat().st_ino != source.stat().st_ino
