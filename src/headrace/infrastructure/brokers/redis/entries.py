"""The entries of a Redis stream as messages: which field of an entry is the payload, and what the other fields are."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from headrace.business.ports import Position
from headrace.business.streams.messages import Messages
from headrace.infrastructure.brokers.message_columns import binary, headers_of

if TYPE_CHECKING:
    import pyarrow as pa

#: An entry as the server gives it: its id, and its fields and values in turns.
Entry = tuple[bytes, Sequence[bytes]]


def messages_of(stream: str, entries: Sequence[Entry], field: str | None) -> Messages:
    """Some entries of a stream, in their order: one field is the payload and the others are headers, or all of them are one object."""
    import pyarrow as pa

    ids = [entry[0] for entry in entries]
    fields = [entry[1] for entry in entries]
    payloads, headers = _objects(fields) if field is None else _one_field(fields, field.encode())
    positions = pa.array(ids, pa.binary()).cast(pa.string())
    return Messages(
        stream, binary(payloads), positions, Position(ids[-1].decode()), published_at=_published_at(positions), headers=headers
    )


def _objects(fields: Sequence[Sequence[bytes]]) -> tuple[list[bytes | None], None]:
    """Each entry as a JSON object. Bytes that are no UTF-8 stay what they are, as lone surrogates, which no reader takes for text."""
    written: list[bytes | None] = []
    for pairs in fields:
        texts = [text.decode("utf-8", "surrogateescape") for text in pairs]
        written.append(json.dumps(dict(zip(texts[::2], texts[1::2], strict=True))).encode())
    return written, None


def _one_field(fields: Sequence[Sequence[bytes]], name: bytes) -> tuple[list[bytes | None], pa.Array | None]:
    if sum(map(len, fields)) == 2 * len(fields) and [pairs[0] for pairs in fields].count(name) == len(fields):
        return [pairs[1] for pairs in fields], None
    payloads: list[bytes | None] = []
    others: list[list[tuple[str, bytes]]] = []
    for pairs in fields:
        found = dict(zip(pairs[::2], pairs[1::2], strict=True))
        payloads.append(found.pop(name, None))
        others.append([(key.decode("utf-8", "backslashreplace"), value) for key, value in found.items()])
    return payloads, headers_of(others)


def _published_at(positions: pa.Array) -> pa.Array:
    """The time in the ids: milliseconds, unless whoever added the entries chose ids of another meaning."""
    import pyarrow as pa
    import pyarrow.compute as pc

    lengths = pc.min_max(pc.find_substring(positions, "-")).as_py()
    if lengths == {"min": _USUAL, "max": _USUAL}:
        return pc.multiply(pc.utf8_slice_codeunits(positions, 0, _USUAL).cast(pa.int64()), 1000).cast(pa.timestamp("us", "UTC"))
    milliseconds = pc.list_element(pc.split_pattern(positions, "-", max_splits=1), 0)
    plausible = pc.less_equal(pc.binary_length(milliseconds), _LONGEST_TIME)
    stamps = pc.cast(pc.if_else(plausible, milliseconds, pa.scalar(None, pa.string())), pa.int64())
    return pc.multiply(stamps, 1000).cast(pa.timestamp("us", "UTC"))


#: Digits of the milliseconds since 1970 from 2001 to 2286.
_USUAL = 13
#: Digits of the milliseconds since 1970 that microseconds in 64 bits can still count.
_LONGEST_TIME = 15
