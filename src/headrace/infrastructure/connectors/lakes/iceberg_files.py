"""Data files of Iceberg tables: written one by one from a stream of rows, and read one by one. Not the commits that make them count."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa
    from pyiceberg.expressions import BooleanExpression
    from pyiceberg.manifest import DataFile
    from pyiceberg.schema import Schema
    from pyiceberg.table import FileScanTask, Table
    from pyiceberg.table.metadata import TableMetadata

#: So many bytes in memory become one file, or of a divided table one for each of its divisions.
FILE_BYTES = 128 << 20


def write(table: Table, metadata: TableMetadata, rows: pa.RecordBatchReader) -> Iterator[DataFile]:
    """Write rows to new files that no version of the table has yet. Never more than the rows of one are in memory."""
    # pyiceberg writes files in public only together with their commit; and of a stream it takes all at once, to write files in parallel.
    from pyiceberg.io.pyarrow import _dataframe_to_data_files

    counter, unique = itertools.count(0), uuid.uuid4()
    for part in _parts(_fitted(metadata, rows)):
        yield from _dataframe_to_data_files(table_metadata=metadata, df=part, io=table.io, write_uuid=unique, counter=counter)


def _fitted(metadata: TableMetadata, rows: pa.RecordBatchReader) -> pa.RecordBatchReader:
    """The same rows under the types of the table, which say `large_string` where ours say `string`."""
    import pyarrow as pa

    wanted = metadata.schema().as_arrow()
    schema = pa.schema([pa.field(name, wanted.field(name).type) for name in rows.schema.names])
    return pa.RecordBatchReader.from_batches(schema, (batch.cast(schema) for batch in rows))


def _parts(rows: pa.RecordBatchReader) -> Iterator[pa.Table]:
    import pyarrow as pa

    held: list[pa.RecordBatch] = []
    size = 0
    for batch in rows:
        held.append(batch)
        size += batch.nbytes
        if size >= FILE_BYTES:
            yield pa.Table.from_batches(held)
            held, size = [], 0
    if held:
        yield pa.Table.from_batches(held)


def read(
    table: Table, schema: Schema, tasks: Iterable[FileScanTask], columns: Sequence[str], where: BooleanExpression | None = None
) -> Iterator[pa.RecordBatch]:
    """The rows of files, one file after the other, in the order of each file: these columns of a schema that the table has or had."""
    from pyiceberg.expressions import AlwaysTrue
    from pyiceberg.io.pyarrow import ArrowScan

    projected, wanted = schema.select(*columns), selected(schema, columns)
    for task in tasks:
        scan = ArrowScan(table.metadata, table.io, projected, where or AlwaysTrue())
        for batch in scan.to_record_batches([task]):
            yield batch.select(wanted.names).cast(wanted)


def selected(schema: Schema, columns: Sequence[str]) -> pa.Schema:
    """These columns in their Arrow types, in this order."""
    import pyarrow as pa

    there = schema.as_arrow()
    return pa.schema([pa.field(name, there.field(name).type) for name in columns])
