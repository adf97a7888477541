"""Counts the lines of text files without parsing them, to hold against what the engine says it has read. Knows no dialect."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self

from headrace.records import record

_BLOCK = 1 << 18
_TAIL = 1 << 16
#: How much of a block is looked at again together with the next.
_EDGE = 1 << 10


@record
class Census:
    """What stands in a file. `lines` counts a last line without an end too; `blank_end` are the empty lines behind the last text."""

    lines: int
    pairs: int
    r"""How many line ends are `\r\n`."""
    lone_returns: int
    blank_end: int
    nul: bool
    doubtful: bool = False
    """Whether there is something that the engine may take for something else."""


@record
class Doubt:
    """What the engine may take for something else: `sign` stands at its beginning, `pattern` tells it from what looks alike."""

    sign: bytes
    pattern: re.Pattern[bytes]

    def found(self, before: bytes, block: bytes) -> bool:
        """Whether it is in a block, or begins in what stands before it."""
        if self.sign not in block and not before.endswith((self.sign[:1], b" ")):
            return False
        return self.pattern.search(before + block) is not None


def census(path: str, doubt: Doubt | None = None) -> Census:
    """A few passes over each block in memory, at the speed of `memchr` where the byte is rare: a small share of a parser's work."""
    newlines = returns = pairs = 0
    nul = after_return = doubtful = False
    before = b""
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - a path may hold any character
        while block := file.read(_BLOCK):
            newlines += block.count(b"\n")
            pairs += after_return and block.startswith(b"\n")
            if b"\r" in block:
                returns += block.count(b"\r")
                pairs += block.count(b"\r\n")
            after_return = block.endswith(b"\r")
            nul = nul or b"\x00" in block
            if doubt is not None and not doubtful:
                doubtful, before = doubt.found(before, block), block[-_EDGE:]
        file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL))
        tail = file.read(_TAIL)
    open_end = bool(tail) and not tail.endswith(b"\n")
    blank = tail[len(tail.rstrip(b"\r\n")) :].count(b"\n") - 1
    return Census(newlines + open_end, pairs, returns - pairs, max(0, blank), nul, doubtful)


class Counting:
    """A census of files in the background while the engine reads the same files, so that the disk is read once."""

    def __init__(self, paths: Iterable[str], doubt: Doubt | None = None) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="headrace-census")
        self._found = {path: self._pool.submit(census, path, doubt) for path in paths}

    def results(self) -> dict[str, Census]:
        return {path: future.result() for path, future in self._found.items()}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._pool.shutdown(cancel_futures=True)
