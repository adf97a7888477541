"""Where the parts of a Parquet file stand: its footer, the pages of its columns, its page index. Not what the pages say.

Field numbers are those of parquet.thrift.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import BinaryIO

from headrace.infrastructure.formats.thrift_compact import Malformed, Struct, Truncated, decode
from headrace.records import record

MAGIC = b"PAR1"
BLOCK = 4 << 20
HEADER_GUESS, HEADER_LIMIT = 4 << 10, 64 << 20

FILE_ROWS, FILE_ROW_GROUPS, FILE_ENCRYPTION = 3, 4, 8
GROUP_COLUMNS, GROUP_BYTES, GROUP_OFFSET, GROUP_COMPRESSED = 1, 2, 5, 6
CHUNK_OFFSET, CHUNK_META, CHUNK_OFFSET_INDEX, CHUNK_OFFSET_INDEX_LENGTH, CHUNK_COLUMN_INDEX, CHUNK_CRYPTO = 2, 3, 4, 5, 6, 8
META_PATH, META_CODEC, META_BYTES, META_COMPRESSED, META_DATA_PAGE, META_INDEX_PAGE, META_DICTIONARY_PAGE, META_BLOOM = (
    3,
    4,
    6,
    7,
    9,
    10,
    11,
    14,
)

#: The names of the ways to compress, by their number.
CODECS = ("uncompressed", "snappy", "gzip", "lzo", "brotli", "lz4", "zstd", "lz4_raw")
PAGE_COMPRESSED, PAGE_CRC = 3, 4
INDEX_LOCATIONS, LOCATION_OFFSET, LOCATION_BYTES = 1, 1, 2


@record
class ParquetFile:
    """An open file, read by offset and never as a whole. Raises `Malformed` where it is not what the format says."""

    opened: BinaryIO

    def read(self, at: int, size: int) -> bytes:
        self.opened.seek(at)
        return self.opened.read(size)

    def blocks(self, start: int, size: int) -> Iterator[bytes]:
        """The bytes from `start` on, in pieces that fit into memory."""
        for at in range(start, start + size, BLOCK):
            block = self.read(at, min(BLOCK, start + size - at))
            if not block:
                raise Malformed("it ends too early")
            yield block

    def crc(self, start: int, size: int) -> int:
        """The CRC-32 of bytes, as it stands in the header of a page: signed."""
        crc = 0
        for block in self.blocks(start, size):
            crc = zlib.crc32(block, crc)
        return signed(crc)

    def footer(self) -> tuple[Struct, int]:
        """The file's metadata, and where they begin."""
        size = self.opened.seek(0, 2)
        tail = self.read(max(0, size - 8), 8)
        if size < 12 or tail[4:] != MAGIC or self.read(0, 4) != MAGIC:
            raise Malformed("it does not begin and end as a plain Parquet file does")
        start = size - 8 - int.from_bytes(tail[:4], "little")
        if start < len(MAGIC):
            raise Malformed("its footer is longer than the file")
        metadata, _ = decode(self.read(start, size - 8 - start))
        if FILE_ENCRYPTION in metadata or any(CHUNK_CRYPTO in chunk for chunk in chunks(metadata)):
            raise Malformed("it is encrypted")
        return metadata, start

    def header(self, offset: int) -> tuple[Struct, int]:
        """The header of the page at `offset`, and its length. Statistics in it may be long, so more is read when needed."""
        guess = HEADER_GUESS
        while True:
            data = self.read(offset, guess)
            try:
                return decode(data)
            except Truncated:
                if len(data) < guess or guess >= HEADER_LIMIT:
                    raise
            guess *= 16


def chunks(footer: Struct) -> Iterator[Struct]:
    """Every column of every row group."""
    for group in rows(footer, FILE_ROW_GROUPS):
        yield from rows(group, GROUP_COLUMNS)


def pages_of(chunk: Struct) -> tuple[int, int]:
    """Where the pages of a column begin and end."""
    meta = chunk[CHUNK_META][1] if CHUNK_META in chunk else {}
    data, dictionary = number(meta, META_DATA_PAGE), number(meta, META_DICTIONARY_PAGE)
    start = min(data, dictionary) if dictionary else data
    length = number(meta, META_COMPRESSED)
    if start < len(MAGIC) or length < 0:
        raise Malformed("a column does not say where its pages are")
    return start, start + length


def path_of(chunk: Struct) -> tuple[str, ...]:
    """The name of a column, which of a nested one has several parts."""
    meta = chunk[CHUNK_META][1] if CHUNK_META in chunk else {}
    _, (_, names) = meta.get(META_PATH, (0, (0, [])))
    return tuple(name.decode(errors="replace") for name in names)


def root_of(chunk: Struct) -> str:
    """The column of the table that a column of the file is of, or is a part of."""
    return next(iter(path_of(chunk)), "")


def rows(owner: Struct, field: int) -> list[Struct]:
    """A field that is a list of structs; empty when it is missing."""
    items = owner[field][1][1] if field in owner else []
    if any(not isinstance(item, dict) for item in items):
        raise Malformed("its metadata are not those of Parquet")
    return list(items)


def number(owner: Struct, field: int) -> int:
    """A field that is a whole number; 0 when it is missing."""
    value = owner[field][1] if field in owner else 0
    if not isinstance(value, int):
        raise Malformed("its metadata are not those of Parquet")
    return value


def signed(crc: int) -> int:
    """A CRC-32 as the signed number that it is in a header."""
    return crc - (1 << 32) if crc >= 1 << 31 else crc


def set_number(owner: Struct, field: int, value: int) -> None:
    owner[field] = (owner[field][0], value)
