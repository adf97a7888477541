"""What all formats do with messages before they look inside: those without a body, and bytes that are no text. Not what is inside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, Protocol

from pydantic import Field

from headrace.business.model.plugin import Plugin
from headrace.business.streams.messages import Decoded, Messages, Unreadable

if TYPE_CHECKING:
    import pyarrow as pa

Tombstones = Literal["dead_letter", "row"]


class MessageFormatOptions(Plugin):
    """What can be said of every format."""

    tombstones: Tombstones = Field(
        "dead_letter",
        description="What becomes of a message without a body, which says that its key is gone: a dead letter, or a row of nulls, "
        "beside the facts about the message that were asked for as columns",
    )


class Decode(Protocol):
    """Reads rows out of bodies, none of which is null; they are numbered from 0."""

    def __call__(self, bodies: pa.Array) -> Decoded: ...


class BodyReader:
    """Reads messages by what reads their bodies."""

    def __init__(self, decode: Decode, tombstones: Tombstones) -> None:
        self._decode, self._tombstones = decode, tombstones

    def read(self, messages: Messages) -> Decoded:
        import pyarrow as pa
        import pyarrow.compute as pc

        bodies = messages.payloads.cast(pa.binary())
        if not bodies.null_count:
            return self._decode(bodies)
        there = pc.indices_nonzero(bodies.is_valid()).cast("int32")
        decoded = renumbered(self._decode(bodies.take(there)), there)
        gone = pc.indices_nonzero(bodies.is_null()).cast("int32")
        if self._tombstones == "row":
            return _with_rows_of_nulls(decoded, gone)
        letters = [Unreadable(number, "message.without_body", "the message has no body") for number in gone.to_pylist()]
        return replace(decoded, unreadable=in_order([*decoded.unreadable, *letters]))


def renumbered(decoded: Decoded, numbers: pa.Array) -> Decoded:
    """What was read of some messages, by their numbers (`int32`) among all."""
    origins = numbers if decoded.origins is None else numbers.take(decoded.origins)
    unreadable = [replace(bad, message=numbers[bad.message].as_py()) for bad in decoded.unreadable]
    return Decoded(decoded.rows, origins, unreadable)


def _with_rows_of_nulls(decoded: Decoded, numbers: pa.Array) -> Decoded:
    import pyarrow as pa
    import pyarrow.compute as pc

    schema = decoded.rows.schema
    nulls = pa.RecordBatch.from_arrays([pa.nulls(len(numbers), field.type) for field in schema], schema=schema)
    origins = pa.concat_arrays([decoded.origins, numbers])
    order = pc.sort_indices(pa.table({"number": origins}), sort_keys=[("number", "ascending")])
    return Decoded(pa.concat_batches([decoded.rows, nulls]).take(order), origins.take(order), decoded.unreadable)


def in_order(unreadable: Sequence[Unreadable]) -> Sequence[Unreadable]:
    return sorted(unreadable, key=lambda bad: bad.message)


def texts_of(bodies: pa.Array) -> tuple[pa.Array, pa.Array | None, Sequence[Unreadable]]:
    """Bodies as text (`string`), the numbers (`int32`) of those that are; None when all are; and those that are not."""
    import pyarrow as pa

    try:
        return bodies.cast(pa.string()), None, ()
    except pa.ArrowInvalid:
        wrong = {number: problem for number, body in enumerate(bodies) if (problem := _no_text(body.as_py()))}
    numbers = pa.array([number for number in range(len(bodies)) if number not in wrong], pa.int32())
    letters = [Unreadable(number, "utf8.invalid", problem) for number, problem in wrong.items()]
    return bodies.take(numbers).cast(pa.string()), numbers, letters


def _no_text(body: bytes) -> str | None:
    try:
        body.decode()
    except UnicodeDecodeError as error:
        return f"byte {error.start + 1} is no UTF-8"
    return None
