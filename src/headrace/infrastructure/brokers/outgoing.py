"""The rows of an epoch as messages with keys, where a broker has such. Not how they are sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from headrace.business.model.schema import Schema
from headrace.business.streams.messages import MessageWriter
from headrace.errors import NonRetryableError
from headrace.records import record

if TYPE_CHECKING:
    import pyarrow as pa


@record
class Outgoing:
    """Messages in order."""

    payloads: Sequence[bytes]
    keys: Sequence[bytes | None] | None


def outgoing(rows: pa.Table, schema: Schema, writer: MessageWriter, key: str | None = None) -> Outgoing:
    """Write rows into messages. Raises `NonRetryableError` where several rows would share the key of one."""
    import pyarrow as pa

    payloads: list[bytes] = []
    for batch in rows.select(schema.names).combine_chunks().to_batches():
        payloads += writer.write(batch).to_pylist()
    if key is None:
        return Outgoing(payloads, None)
    if len(payloads) != rows.num_rows:
        raise NonRetryableError(
            "the format puts several rows into a message, which has one key",
            hint="leave `key` out, or choose a format with a message for each row",
        )
    return Outgoing(payloads, rows.column(key).cast(pa.string()).cast(pa.binary()).to_pylist())
