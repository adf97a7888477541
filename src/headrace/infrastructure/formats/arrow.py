"""Arrow files and streams (IPC), which Feather is another name of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from headrace.business.model.contract import Model
from headrace.business.ports import ArrowFileScan, InputFile
from headrace.errors import NonRetryableError
from headrace.infrastructure.formats.arrow_union import needs_pyarrow, union_scan

if TYPE_CHECKING:
    import pyarrow as pa

#: An Arrow file starts with this; an Arrow stream does not.
_FILE_MAGIC = b"ARROW1"


class Arrow(Model):
    """Arrow IPC."""

    suffixes: ClassVar[tuple[str, ...]] = (".arrow", ".arrows", ".feather", ".ipc")

    def scan(self, files: Sequence[InputFile]) -> ArrowFileScan:
        needs_pyarrow("Arrow files")
        return union_scan(files, schema_of, batches_of)


def schema_of(file: InputFile) -> pa.Schema:
    with _reader(file.path) as reader:
        return reader.schema


def batches_of(file: InputFile) -> Iterator[pa.RecordBatch]:
    with _reader(file.path) as reader:
        if hasattr(reader, "num_record_batches"):
            yield from (reader.get_batch(i) for i in range(reader.num_record_batches))
        else:
            yield from reader


@contextmanager
def _reader(path: str) -> Iterator[Any]:
    import pyarrow as pa

    try:
        with pa.OSFile(path, "rb") as source:
            is_file = source.read(len(_FILE_MAGIC)) == _FILE_MAGIC
            source.seek(0)
            with pa.ipc.open_file(source) if is_file else pa.ipc.open_stream(source) as reader:
                yield reader
    except (pa.ArrowException, OSError) as error:
        raise NonRetryableError(
            f"`{path}` cannot be read as Arrow: {error}", hint="see that it is a whole Arrow file or stream"
        ) from error
