"""Arrow files and streams (IPC), which Feather is another name of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from headrace.business.model.part import Model
from headrace.business.ports import ArrowFileScan, InputFile
from headrace.errors import NonRetryableError
from headrace.infrastructure.formats.arrow_union import needs_pyarrow, union_scan

if TYPE_CHECKING:
    import pyarrow as pa

#: An Arrow file starts with this; an Arrow stream does not.
_FILE_MAGIC = b"ARROW1"
#: A file ends with the length of its footer and this once more.
_TAIL = 4 + len(_FILE_MAGIC)


class Arrow(Model):
    """Arrow IPC."""

    suffixes: ClassVar[tuple[str, ...]] = (".arrow", ".arrows", ".feather", ".ipc")

    def scan(self, files: Sequence[InputFile]) -> ArrowFileScan:
        needs_pyarrow("Arrow files")
        return union_scan(files, schema_of, batches_of)


def schema_of(file: InputFile) -> pa.Schema:
    with _reader(file.path) as reader:
        return reader.schema


def begins(path: str) -> bool:
    """Whether the start of a file, which may be all that is here, tells its columns: so it is with a stream, and not with a file."""
    needs_pyarrow("Arrow files")
    import pyarrow as pa

    with pa.OSFile(path, "rb") as source:
        try:
            return not _is_file(source) and pa.ipc.open_stream(source).schema is not None
        except pa.ArrowException:
            return False


def has_footer(path: str) -> bool:
    """Whether it is a file by its start, which tells its columns at its end, and no stream."""
    with open(path, "rb") as source:  # noqa: PTH123 - a path may hold any character
        return _is_file(source)


def footer(path: str, size: int) -> tuple[int, int]:
    """Where the footer of a file stands, by its last bytes; nothing where they are not those of a file."""
    with open(path, "rb") as source:  # noqa: PTH123 - a path may hold any character
        source.seek(max(0, size - _TAIL))
        tail = source.read(_TAIL)
    length = int.from_bytes(tail[:4], "little", signed=True) if tail[4:] == _FILE_MAGIC else 0
    return min(size, max(0, size - _TAIL - length)), size


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
        with (
            pa.OSFile(path, "rb") as source,
            pa.ipc.open_file(source) if _is_file(source) else pa.ipc.open_stream(source) as reader,
        ):
            yield reader
    except (pa.ArrowException, OSError) as error:
        raise NonRetryableError(
            f"`{path}` cannot be read as Arrow: {error}", hint="see that it is a whole Arrow file or stream"
        ) from error


def _is_file(source: Any) -> bool:
    start: bytes = source.read(len(_FILE_MAGIC))
    source.seek(0)
    return start == _FILE_MAGIC
