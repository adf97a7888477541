"""One epoch of a stream as bytes, for stores that keep it whole: sealed by checksums, so that what is torn or damaged is told. Not where.

    magic, 8 bytes | length of the head, 4 | CRC-32 of the head, 4 | the head, JSON | the parts, one behind the other

Numbers are big-endian. The head says of each part how long it is and its CRC-32, and behind which epoch this one was saved.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from typing import Any, BinaryIO

from headrace.business.streams.state import Saved
from headrace.errors import NonRetryableError
from headrace.records import record

Pieces = Sequence[bytes]

#: The most bytes that are one value in a store that has values.
CHUNK = 16 << 20
_MAGIC = b"HRSTATE2"
_START = struct.Struct(">8sII")

BACK = "go back to an earlier epoch, or begin the stream anew; `headrace state` lists what is there"


@record
class Step:
    """An epoch in the chain of those that make a state."""

    epoch: int
    after: int | None
    """The epoch that it was saved behind, on which its parts stand; None for the first."""
    needs: int
    """The oldest epoch in which there is something of its state."""


def chain(epoch: int, step_of: Callable[[int], Step | None], shown: str) -> Sequence[int]:
    """Which epochs make the state of one, oldest first. Raises `NonRetryableError` when one of them is not there."""
    epochs: list[int] = []
    wanted: int | None = epoch
    needs = 0
    while wanted is not None and (not epochs or wanted >= needs):
        step = step_of(wanted)
        if step is None:
            why = "" if wanted == epoch else f": epoch {wanted}, on which it stands, is missing"
            raise NonRetryableError(f"{shown}: epoch {epoch} is not there any more{why}", hint=BACK)
        needs = needs if epochs else step.needs
        epochs.append(wanted)
        wanted = step.after
    return epochs[::-1]


def encoded(saved: Saved, after: int | None) -> Pieces:
    """The head, then each part as it is."""
    parts = [(name, len(part), zlib.crc32(part)) for name, part in saved.parts.items()]
    written = {"epoch": saved.epoch, "after": after, "needs": saved.needs, "facts": saved.facts, "parts": parts}
    head = json.dumps(written, ensure_ascii=False, separators=(",", ":")).encode()
    return (_START.pack(_MAGIC, len(head), zlib.crc32(head)) + head, *saved.parts.values())


def chunks(pieces: Pieces) -> Iterator[memoryview]:
    """The same bytes in pieces that every server takes as a value."""
    for piece in pieces:
        view = memoryview(piece)
        for start in range(0, len(view), CHUNK):
            yield view[start : start + CHUNK]


def decoded(data: bytes, shown: str) -> Saved:
    """Raises `NonRetryableError` for what is not, to the byte, what was saved."""
    head, start = _head(BytesIO(data), shown)
    parts = {}
    for name, length, checksum in head["parts"]:
        part = data[start : start + length]
        if len(part) != length or zlib.crc32(part) != checksum:
            raise _damaged(shown, f"its part `{name}` is not what was saved")
        parts[name] = part
        start += length
    if start != len(data):
        raise _damaged(shown, "there is more of it than was saved")
    return Saved(head["epoch"], head["facts"], parts, head["needs"])


def step(file: BinaryIO, shown: str) -> Step:
    """What the head says, without reading on."""
    head, _ = _head(file, shown)
    return Step(head["epoch"], head["after"], head["needs"])


def _head(file: BinaryIO, shown: str) -> tuple[dict[str, Any], int]:
    """The head, and where the parts begin."""
    start = file.read(_START.size)
    if len(start) != _START.size or not start.startswith(_MAGIC):
        raise _damaged(shown, "it does not begin as an epoch does")
    _, length, checksum = _START.unpack(start)
    head = file.read(length)
    if len(head) != length or zlib.crc32(head) != checksum:
        raise _damaged(shown, "its head is not what was saved")
    return dict(json.loads(head)), _START.size + length


def _damaged(shown: str, how: str) -> NonRetryableError:
    return NonRetryableError(f"{shown}: is torn or damaged: {how}", hint=BACK)
