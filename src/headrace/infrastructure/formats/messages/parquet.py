"""The format `parquet`: a Parquet file in each message."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from headrace.business.model.schema import Schema
from headrace.business.streams.messages import MessageReader, MessageScan, MessageWriter
from headrace.infrastructure.formats.arrow_union import needs_pyarrow
from headrace.infrastructure.formats.messages.blocks import BlockReader, BlockWriter
from headrace.infrastructure.formats.messages.bodies import BodyReader, MessageFormatOptions
from headrace.infrastructure.formats.messages.typed_columns import arrow_schema, no_rows, typed_scan

if TYPE_CHECKING:
    import pyarrow as pa


class ParquetMessages(MessageFormatOptions):
    """Blocks of rows as Parquet."""

    kind: ClassVar[str] = "parquet"

    rows: int = Field(10_000, ge=1, description="How many rows are written into one message, at the most")
    compression: Literal["none", "snappy", "zstd", "gzip", "lz4", "brotli"] = Field(
        "zstd", description="How blocks are compressed when they are written"
    )

    def scan(self, declared: Schema, project: Path) -> MessageScan:  # noqa: ARG002 - nothing is read from anywhere
        needs_pyarrow("messages in Parquet")
        return typed_scan(self.kind, declared)

    def reader(self, schema: Schema, project: Path) -> MessageReader:  # noqa: ARG002
        return BodyReader(BlockReader("parquet.invalid", arrow_schema(schema), _rows_of, self._written), self.tombstones)

    def writer(self, schema: Schema, project: Path) -> MessageWriter:  # noqa: ARG002
        return BlockWriter(arrow_schema(schema), self.rows, self._written)

    def _written(self, rows: pa.RecordBatch) -> pa.Buffer:
        import pyarrow as pa
        import pyarrow.parquet as pq

        sink = pa.BufferOutputStream()
        pq.write_table(pa.Table.from_batches([rows]), sink, compression=self.compression, write_page_checksum=True)
        return sink.getvalue()


def _rows_of(block: pa.Buffer) -> pa.RecordBatch:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetFile(pa.BufferReader(block), page_checksum_verification=True) as file:
        table = file.read(use_threads=False)
    return pa.concat_batches(table.to_batches()) if table.num_rows else no_rows(table.schema)
