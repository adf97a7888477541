"""Reads one file on from a byte: whole lines or all of it, each with the position behind it. Not which file comes next."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal
from zlib import crc32

from headrace.business.ports import Position
from headrace.errors import NonRetryableError
from headrace.infrastructure.brokers.gaps import OnGap
from headrace.records import record

if TYPE_CHECKING:
    import pyarrow as pa

#: How much is read at once at the least and at the most, how long lines usually are, and how long one may be.
_LEAST_BYTES = 1 << 16
_MOST_BYTES = 16 << 20
_USUAL_LINE = 256
_LONGEST_LINE = 256 << 20
#: So much of its start tells a file from another one of the same name.
_TELLING_BYTES = 1024
_POSITION = re.compile(r"(?P<name>.+)@(?P<offset>[0-9]{1,19})~(?P<start>[0-9a-f]{8})", re.DOTALL)


@record
class Cut:
    """How files are cut into messages, and when one is finished."""

    message: Literal["line", "block", "file"]
    block_bytes: int
    settle_seconds: float
    on_gap: OnGap


@record
class Mark:
    """A place in a file: its name, the byte behind what was read, and a checksum of how the file begins."""

    name: str
    offset: int
    start: str

    def __str__(self) -> str:
        return f"{self.name}@{self.offset}~{self.start}"

    @classmethod
    def of(cls, position: Position, where: str) -> Mark:
        """The place that a position means. Raises `NonRetryableError` where it is none."""
        found = _POSITION.fullmatch(position)
        if found is None:
            raise NonRetryableError(
                f"`{position}` is no position in {where}",
                hint="a position is a file, a byte and a checksum, such as app.log@120~5f0c8a11",
            )
        return cls(found["name"], int(found["offset"]), found["start"])


def begins_so(path: Path, mark: Mark) -> bool:
    """Whether a file is the one that was read up to the mark, as far as its size and how it begins tell."""
    try:
        with path.open("rb") as file:
            start = file.read(min(mark.offset, _TELLING_BYTES))
            return path.stat().st_size >= mark.offset and _checksum(start) == mark.start
    except FileNotFoundError:
        return False


@record
class Pieces:
    """Some messages of a file, each with the position behind it."""

    payloads: pa.Array
    positions: pa.Array
    last: Position


class OpenFile:
    """A file that is read on. It stays the same when its name is given to another."""

    def __init__(self, path: Path, name: str, offset: int) -> None:
        self.path, self.name, self.offset = path, name, offset
        self._file: BinaryIO = path.open("rb")
        self._start = b""

    @property
    def inode(self) -> int:
        return os.fstat(self._file.fileno()).st_ino

    @property
    def size(self) -> int:
        return os.fstat(self._file.fileno()).st_size

    def is_the_same(self) -> bool:
        """Whether what was read of it is still there, as far as its size and how it begins tell."""
        if self.size < self.offset:
            return False
        self._file.seek(0)
        return self._file.read(len(self._start)) == self._start

    @property
    def changed_at(self) -> float:
        """When somebody changed it last, by the clock of the machine as it was then."""
        return os.fstat(self._file.fileno()).st_mtime

    def close(self) -> None:
        self._file.close()

    def last_line_end(self) -> int:
        """The byte behind the last whole line that is there now."""
        at = self.size
        while at > 0:
            begin = max(0, at - _LEAST_BYTES)
            self._file.seek(begin)
            end = self._file.read(at - begin).rfind(b"\n") + 1
            if end:
                return begin + end
            at = begin
        return 0

    def whole(self) -> Pieces | None:
        """All of the file as one message; None where that was read, or it is empty."""
        self._file.seek(self.offset)
        if self.offset or not (content := self._file.read()):
            return None
        return self._pieces([content], [len(content)])

    def lines(self, most: int, cut: Cut, *, finished: bool) -> Pieces | None:
        """Whole lines that have come, one by one or in blocks; None when there are none. Lines without anything are passed over. The
        last line of a finished file needs no end."""
        wanted = most * (_USUAL_LINE if cut.message == "line" else cut.block_bytes)
        text = self._whole_lines(min(max(wanted, _LEAST_BYTES), _MOST_BYTES), finished=finished)
        if not text:
            return None
        if cut.message == "block":
            blocks = list(_blocks(text, cut.block_bytes))[:most]
            return self._pieces(blocks, list(accumulate(map(len, blocks), initial=self.offset))[1:])
        lines = text.removesuffix(b"\n").split(b"\n", most)[:most]
        ends = list(accumulate((len(line) + 1 for line in lines), initial=self.offset))[1:]
        ends[-1] = min(ends[-1], self.offset + len(text))
        return self._pieces([line.removesuffix(b"\r") for line in lines] if b"\r" in text else lines, ends)

    def _whole_lines(self, enough: int, *, finished: bool) -> bytes:
        """What there is behind the offset up to a line end: about so much, or a line when that is longer."""
        self._file.seek(self.offset)
        text = b""
        while True:
            more = self._file.read(enough)
            text += more
            end = text.rfind(b"\n") + 1
            if end:
                return text[:end]
            if not more:
                return text if finished else b""
            if len(text) > _LONGEST_LINE:
                raise NonRetryableError(
                    f"{self.path}: the line at byte {self.offset} is longer than {_LONGEST_LINE} bytes",
                    hint="see that the file holds lines; `message: file` reads files whole",
                )

    def _pieces(self, payloads: list[bytes], ends: list[int]) -> Pieces | None:
        import pyarrow as pa

        marks = self._marks(ends)
        self.offset, last = ends[-1], Position(marks[-1].as_py())
        made = pa.array(payloads, pa.large_binary())
        if not all(payloads):
            there = pa.array([bool(payload) for payload in payloads])
            made, marks = made.filter(there), marks.filter(there)
        return Pieces(made, marks, last) if len(made) else None

    def _marks(self, ends: list[int]) -> pa.Array:
        """The places behind these bytes, written."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if len(self._start) < _TELLING_BYTES:
            self._file.seek(0)
            self._start = self._file.read(_TELLING_BYTES)
        near = [f"{self.name}@{end}~{_checksum(self._start[:end])}" for end in ends if end < _TELLING_BYTES]
        far = pa.array(ends[len(near) :], pa.int64()).cast(pa.string())
        there = f"~{_checksum(self._start)}"
        return pa.concat_arrays([pa.array(near, pa.string()), pc.binary_join_element_wise(f"{self.name}@", far, there, "")])


def _checksum(start: bytes) -> str:
    return f"{crc32(start):08x}"


def _blocks(text: bytes, most_bytes: int) -> Iterator[bytes]:
    """Whole lines, as many at a time as fit."""
    at = 0
    while at < len(text):
        end = text.rfind(b"\n", at, at + most_bytes) + 1
        if not end:
            end = text.find(b"\n", at) + 1
        yield text[at : end or len(text)]
        at = end or len(text)
