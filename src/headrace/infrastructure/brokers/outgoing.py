"""The rows of a checkpoint as messages that go out: payloads by the format, and keys by a column. Not how they are sent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from headrace.business.model.plugin import Plugin
from headrace.business.model.schema import Schema, did_you_mean
from headrace.business.streams.messages import MessageWriter
from headrace.errors import NonRetryableError
from headrace.infrastructure.formats.message_formats import MessageFormatOption
from headrace.records import record

if TYPE_CHECKING:
    import pyarrow as pa


class OutgoingOptions(Plugin):
    """The options that sinks of messages have."""

    format: MessageFormatOption = Field(
        "json",
        validate_default=True,
        description="How rows are written in a message: json, ndjson, csv, avro, arrow, parquet or bytes, or one of them with options",
    )

    def writer(self, project: Path, schema: Schema) -> MessageWriter:
        chosen: Any = self.format
        made: MessageWriter = chosen.writer(schema, project)
        return made


class KeyedOptions(OutgoingOptions):
    """The same where a message has a key."""

    key: str | None = Field(
        None, description="The column whose text is the key of the message: messages of one key keep their order"
    )

    def problems(self, schema: Schema) -> Iterable[str]:
        if self.key is not None and self.key not in schema:
            yield f"there is no column `{self.key}` for the key; {did_you_mean(self.key, schema.names)}"


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
