"""Chunks of a stream as RabbitMQ delivers them: many messages in one block, each written as AMQP 1.0. Not how they are asked for."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Iterator

from headrace.errors import NonRetryableError
from headrace.records import record

#: Magic and version, kind, entries, records, time, epoch, first offset, checksum, bytes of data, bytes behind, reserved.
_HEAD = struct.Struct(">bbHIqQQiIII")
_SIZE, _BATCH = struct.Struct(">I"), struct.Struct(">BHII")
_GZIP = 1
_PACKED = 0x80


@record
class Chunk:
    """The messages of one block: their offsets count up from the first, and they were published at the same millisecond."""

    first: int
    published_ms: int
    messages: list[bytes]


def chunk(data: bytes) -> Chunk | None:
    """One block; None for one that holds no messages of people."""
    _, kind, _, records, published_ms, _, first, _, length, _, _ = _HEAD.unpack_from(data)
    if kind != 0:
        return None
    messages = list(_entries(data, _HEAD.size, _HEAD.size + length))
    if len(messages) != records:
        raise NonRetryableError(
            f"a chunk of the stream holds {len(messages)} messages and says {records}",
            hint="see whether the connection changes data",
        )
    return Chunk(first, published_ms, messages)


def _entries(data: bytes, at: int, stop: int) -> Iterator[bytes]:
    unpack = _SIZE.unpack_from
    while at < stop:
        if data[at] & _PACKED:
            kind, count, _, length = _BATCH.unpack_from(data, at)
            at += _BATCH.size
            yield from _unpacked(data[at : at + length], (kind >> 4) & 7, count)
            at += length
        else:
            (size,) = unpack(data, at)
            yield data[at + 4 : at + 4 + size]
            at += 4 + size


def _unpacked(data: bytes, compression: int, count: int) -> Iterator[bytes]:
    """The messages that a publisher put into one entry."""
    if compression == _GZIP:
        data = gzip.decompress(data)
    elif compression:
        name = {2: "snappy", 3: "lz4", 4: "zstd"}.get(compression, str(compression))
        raise NonRetryableError(
            f"messages of the stream are compressed by {name}", hint="let the publisher compress by gzip, or not at all"
        )
    at = 0
    for _ in range(count):
        (size,) = _SIZE.unpack_from(data, at)
        yield data[at + 4 : at + 4 + size]
        at += 4 + size
