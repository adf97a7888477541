"""Copies of files: whatever is asked for, in whatever order, is there afterwards as it is in the store, and nothing came twice."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headrace.errors import RetryableError
from headrace.infrastructure.connectors.stores import copies
from headrace.infrastructure.connectors.stores.copies import Copies
from headrace.infrastructure.connectors.stores.store import Stored


class Shelf:
    """A store in memory, which counts what is read of it and breaks where it is told to."""

    shown = "shelf://"

    def __init__(self, **files: bytes) -> None:
        self.content = files
        self.read_bytes = 0
        self.broken = False
        self.guard = threading.Lock()

    def listed(self, _folder: str) -> list[Stored]:
        return [Stored(key, len(data), 7 * 10**9, "v1") for key, data in self.content.items()]

    def look(self, key: str) -> Stored | None:
        return next((file for file in self.listed("") if file.key == key), None)

    def read(self, file: Stored, start: int, size: int) -> bytes:
        if self.broken and start > 0:
            raise copies_broken()
        with self.guard:
            self.read_bytes += size
        return self.content[file.key][start : start + size]


def copies_broken() -> RetryableError:
    return RetryableError("the shelf broke")


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    from headrace.infrastructure.connectors.stores import store
    from headrace.resilience.backoff import RetryPolicy

    monkeypatch.setattr(copies, "PART", 7)
    monkeypatch.setattr(store.patiently, "__defaults__", (RetryPolicy(attempts=1),))


ranges = st.lists(st.tuples(st.integers(0, 100), st.integers(0, 100)).map(lambda ends: (min(ends), max(ends))), max_size=6)


@given(data=st.binary(min_size=100, max_size=100), asked=st.lists(ranges, max_size=4))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
def test_what_was_asked_for_is_there_and_came_once(data: bytes, asked: list[list[tuple[int, int]]], tmp_path: Path):
    shelf = Shelf(a=data)
    made = Copies(shelf, tmp_path, shelf.listed(""), str)
    (tmp_path / made.all[0].path.name).unlink(missing_ok=True)
    wanted: set[int] = set()
    for some in asked:
        made.bring({made.all[0]: some})
        wanted |= {place for start, stop in some for place in range(start, stop)}
        found = made.all[0].path.read_bytes()
        assert len(found) == len(data)
        assert all(found[place] == data[place] for place in wanted)
    assert shelf.read_bytes == len(wanted)


def test_a_fetch_that_broke_goes_on_where_it_ended(tmp_path: Path):
    shelf = Shelf(a=bytes(range(50)), b=b"")
    made = Copies(shelf, tmp_path, shelf.listed(""), str)
    shelf.broken = True
    with pytest.raises(RetryableError, match="the shelf broke"):
        made(made.files, ())
    shelf.broken = False
    made(made.files, ())
    assert [Path(file.path).read_bytes() for file in made.files] == [bytes(range(50)), b""]
    assert shelf.read_bytes == 50
    about = Path(made.files[0].path).stat()
    assert (about.st_size, about.st_mtime_ns) == (50, 7 * 10**9), "it looks as it was listed"


def test_starts_end_behind_a_line_unless_they_are_all(tmp_path: Path):
    shelf = Shelf(short=b"a\n1", long=b"a\n1\n22\n333\n", one=b"x" * 40)
    made = Copies(shelf, tmp_path, shelf.listed(""), str)
    made.heads(lambda _: 8)
    assert [copy.path.read_bytes() for copy in made.all] == [b"a\n1", b"a\n1\n22\n", b"x" * 8]
    made(made.files, ())
    assert [copy.path.read_bytes() for copy in made.all] == list(shelf.content.values())


def test_a_disk_that_is_full_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    shelf = Shelf(a=b"some")
    made = Copies(shelf, tmp_path, shelf.listed(""), lambda key: f"shelf://{key}")
    monkeypatch.setattr(copies.os, "pwrite", full)
    with pytest.raises(RetryableError, match="`shelf://a` cannot be kept on this machine: No space left") as caught:
        made(made.files, ())
    assert caught.value.hint == "see that the disk is not full"
