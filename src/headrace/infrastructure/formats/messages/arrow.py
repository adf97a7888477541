"""The format `arrow`: a block of rows in each message, as an Arrow stream or file (IPC). Read without a copy where types agree."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from headrace.business.model.schema import Schema
from headrace.business.streams.messages import MessageReader, MessageScan, MessageWriter
from headrace.infrastructure.formats.arrow_union import needs_pyarrow
from headrace.infrastructure.formats.messages.blocks import BlockReader, BlockWriter
from headrace.infrastructure.formats.messages.bodies import BodyReader, MessageFormatOptions
from headrace.infrastructure.formats.messages.typed_columns import arrow_schema, no_rows, typed_scan

if TYPE_CHECKING:
    import pyarrow as pa

_FILE_MAGIC = b"ARROW1"


class ArrowMessages(MessageFormatOptions):
    """Blocks of rows in Arrow's own form."""

    kind: ClassVar[str] = "arrow"

    rows: int = Field(10_000, ge=1, description="How many rows are written into one message, at the most")

    def scan(self, declared: Schema, project: Path) -> MessageScan:  # noqa: ARG002 - nothing is read from anywhere
        needs_pyarrow("messages in Arrow")
        return typed_scan(self.kind, declared)

    def reader(self, schema: Schema, project: Path) -> MessageReader:  # noqa: ARG002
        return BodyReader(BlockReader("arrow.invalid", arrow_schema(schema), _rows_of, _written), self.tombstones)

    def writer(self, schema: Schema, project: Path) -> MessageWriter:  # noqa: ARG002
        return BlockWriter(arrow_schema(schema), self.rows, _written)


def _rows_of(block: pa.Buffer) -> pa.RecordBatch:
    """The rows of a block. Whoever wrote it may have written nonsense, so its inner offsets are looked at before they are used."""
    import pyarrow as pa

    is_file = block.size > len(_FILE_MAGIC) and bytes(block.slice(0, len(_FILE_MAGIC))) == _FILE_MAGIC
    with pa.ipc.open_file(block) if is_file else pa.ipc.open_stream(block) as reader:
        batches = [reader.get_batch(i) for i in range(reader.num_record_batches)] if is_file else list(reader)
        schema = reader.schema
    for batch in batches:
        batch.validate(full=True)
    if len(batches) == 1:
        return batches[0]
    return pa.concat_batches(batches) if batches else no_rows(schema)


def _written(rows: pa.RecordBatch) -> pa.Buffer:
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as writer:
        writer.write_batch(rows)
    return sink.getvalue()
