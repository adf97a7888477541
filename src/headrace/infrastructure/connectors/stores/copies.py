"""The copies of files of a store on this machine: fetched in parts, side by side, and of each file no more than is wanted.

A copy has the size and the time of its original, and content where something was fetched; the rest is a hole, which takes no room.
What was fetched once is not fetched again, so a fetch that failed goes on where it ended.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path, PurePosixPath

from headrace.business.ports import InputFile
from headrace.errors import RetryableError
from headrace.infrastructure.connectors.stores.store import Store, Stored, patiently

#: How many bytes are fetched at a time, and how many such parts are under way at most: together what a fetch holds in memory.
PART = 4 << 20
WORKERS = 12

Range = tuple[int, int]


@dataclass(eq=False)
class Copy:
    """One file and what of it is here."""

    stored: Stored
    address: str
    path: Path
    here: list[Range] = field(default_factory=list)
    guard: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def whole(self) -> list[Range]:
        return [(0, self.stored.bytes)]

    def missing(self, wanted: Iterable[Range]) -> Iterator[Range]:
        """What of these ranges is not here yet, in parts."""
        for start, stop in _merged(list(wanted)):
            for from_, to in _without(start, stop, self.here):
                for at in range(from_, to, PART):
                    yield at, min(at + PART, to)

    def keep(self, start: int, data: bytes | memoryview) -> None:
        handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            written = 0
            while written < len(data):
                written += os.pwrite(handle, memoryview(data)[written:], start + written)
        finally:
            os.close(handle)
        with self.guard:
            self.here = _merged([*self.here, (start, start + len(data))])

    def stand_in(self, data: bytes) -> None:
        """Have other bytes here for a look, and nothing of the original."""
        self.path.write_bytes(data)
        self.here = []

    def finish(self) -> None:
        """Give the copy the size and the time of its original."""
        handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.ftruncate(handle, self.stored.bytes)
        finally:
            os.close(handle)
        os.utime(self.path, ns=(self.stored.modified_ns, self.stored.modified_ns))


class Copies:
    """The copies of files of one store, in a folder. `partial_columns` says which ranges of a file hold some of its columns."""

    def __init__(
        self,
        store: Store,
        folder: Path,
        files: Sequence[Stored],
        name: Callable[[str], str],
        columns: Callable[[Path, Collection[str]], list[Range] | None] | None = None,
        keep: object = None,
    ) -> None:
        self._store, self._columns, self._keep = store, columns, keep
        places = (folder / f"{number:06}-{_safe(file.key)}" for number, file in enumerate(files))
        self.all = [Copy(file, name(file.key), path) for file, path in zip(files, places, strict=True)]
        self._by_path = {str(copy.path): copy for copy in self.all}

    @property
    def files(self) -> tuple[InputFile, ...]:
        return tuple(
            InputFile(str(c.path), c.stored.bytes, c.stored.modified_ns, None, c.stored.version, c.address) for c in self.all
        )

    def __call__(self, files: Sequence[InputFile], columns: Collection[str]) -> None:
        """As `Fetch` says."""
        copies = [self._by_path[file.path] for file in files]
        wanted = {copy: (self._columns and self._columns(copy.path, columns)) or copy.whole for copy in copies}
        self.bring(wanted)

    def bring(self, wanted: Mapping[Copy, Iterable[Range]], *, finish: bool = True) -> None:
        """Fetch these ranges. The copies are then as long as their originals, unless they are not to be finished."""
        parts = ((copy, part) for copy, ranges in wanted.items() for part in copy.missing(ranges))
        _side_by_side(partial(self._part, copy, *part) for copy, part in parts)
        for copy in wanted if finish else ():
            copy.finish()

    def heads(self, size: Callable[[int], int]) -> None:
        """Fetch the starts of files, of the n-th so many bytes; of one that goes on, up to its last line that is whole."""
        self.bring({copy: [(0, min(size(n), copy.stored.bytes))] for n, copy in enumerate(self.all)}, finish=False)
        for copy in self.all:
            copy.path.touch(mode=0o600)
            if sum(stop - start for start, stop in copy.here) < copy.stored.bytes:
                _cut_behind_a_line(copy)
            else:
                copy.finish()

    def starts(self, size: int) -> None:
        """Fetch the starts of files, as they are: of those that go on there is no more here."""
        self.bring({copy: [(0, min(size, copy.stored.bytes))] for copy in self.all}, finish=False)
        for copy in self.all:
            copy.path.touch(mode=0o600)

    def named(self, message: str) -> str:
        """A message in which the files are called by their addresses."""
        for copy in self.all if any(str(c.path) in message for c in self.all) else ():
            message = message.replace(str(copy.path), copy.address)
        return message

    def _part(self, copy: Copy, start: int, stop: int) -> None:
        data = patiently(lambda: self._store.read(copy.stored, start, stop - start))
        try:
            copy.keep(start, data)
        except OSError as error:
            raise RetryableError(
                f"`{copy.address}` cannot be kept on this machine: {error.strerror}", hint="see that the disk is not full"
            ) from error


def _side_by_side(tasks: Iterable[Callable[[], None]]) -> None:
    """Carry all out, some at a time; the first that fails ends it. Not more of them are made than are under way."""
    all_of_them = iter(tasks)
    first = next(all_of_them, None)
    if first is None:  # as when a footer was at the end that was looked at
        return
    waiting = chain((first,), all_of_them)
    taking, failed = threading.Lock(), threading.Event()

    def work() -> None:
        while not failed.is_set():
            with taking:
                task = next(waiting, None)
            if task is None:
                return
            done = False
            try:
                task()
                done = True
            finally:
                if not done:
                    failed.set()

    with ThreadPoolExecutor(WORKERS) as pool:
        for done in [pool.submit(work) for _ in range(WORKERS)]:
            done.result()


def _cut_behind_a_line(copy: Copy) -> None:
    end = max((stop for start, stop in copy.here if start == 0), default=0)
    with copy.path.open("r+b") as file:
        head = file.read(end)
        cut = head.rfind(b"\n") + 1 or end
        file.truncate(cut)
    copy.here = [(0, cut)] if cut else []


def _merged(ranges: list[Range]) -> list[Range]:
    merged: list[Range] = []
    for start, stop in sorted(ranges):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(stop, merged[-1][1]))
        else:
            merged.append((start, stop))
    return merged


def _without(start: int, stop: int, here: Iterable[Range]) -> Iterator[Range]:
    for from_, to in here:
        if from_ >= stop:
            break
        if to > start:
            if from_ > start:
                yield start, from_
            start = max(start, to)
    if start < stop:
        yield start, stop


def _safe(key: str) -> str:
    """The end of a name, by which a format may be known, as any file system takes it."""
    name = PurePosixPath(key.partition("?")[0]).name
    return "".join(c if c.isalnum() or c in "._-=+" else "_" for c in name)[-80:]
