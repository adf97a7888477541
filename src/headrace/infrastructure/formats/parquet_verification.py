"""Finds damage in the pages of a Parquet file that carry a checksum, before anybody believes what they say. It decodes no value.

DuckDB does not look at page checksums. To look at all of them costs a tenth to a fifth of reading the values into
a table, which is the smallest part of a run.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from headrace.errors import NonRetryableError
from headrace.infrastructure.formats import parquet_layout as layout
from headrace.infrastructure.formats.parquet_layout import ParquetFile, number, pages_of, path_of, root_of, rows
from headrace.infrastructure.formats.thrift_compact import Malformed, Struct


def verify_pages(path: Path, columns: Collection[str]) -> None:
    """Raises when a page of one of these columns does not agree with its checksum. The content of other columns may be missing.
    A file whose structure cannot be followed is left to the engine to refuse."""
    with path.open("rb") as reading:
        file = ParquetFile(reading)
        try:
            footer, _ = file.footer()
            for number_of_group, group in enumerate(rows(footer, layout.FILE_ROW_GROUPS)):
                for chunk in rows(group, layout.GROUP_COLUMNS):
                    if root_of(chunk) in columns and not _is_whole(file, *pages_of(chunk)):
                        raise _damaged(path, chunk, number_of_group)
        except (Malformed, IndexError, KeyError):
            return


def _is_whole(file: ParquetFile, start: int, stop: int) -> bool:
    at = start
    while at < stop:
        header, length = file.header(at)
        size = number(header, layout.PAGE_COMPRESSED)
        if size < 0 or at + length + size > stop:
            raise Malformed("a page is longer than its column")
        if layout.PAGE_CRC in header and number(header, layout.PAGE_CRC) != file.crc(at + length, size):
            return False
        at += length + size
    return True


def _damaged(path: Path, chunk: Struct, group: int) -> NonRetryableError:
    return NonRetryableError(
        f"`{path}` is damaged: in row group {group + 1} a page of the column `{'.'.join(path_of(chunk))}` "
        "does not agree with its checksum",
        hint="fetch the file again, or have it written anew: what it says there is not what was written",
    )
