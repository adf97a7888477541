"""Gives each page of a Parquet file its CRC-32, so that a bit flipped on a disk is found by the reader and never believed.

DuckDB writes no page checksums and has no option for them. The page's header, in which the checksum stands, grows by it;
so everything behind moves, and the offsets in the footer and in the page index follow. Values are copied as they are, in
bounded memory. Not a writer of Parquet, and not for encrypted files.
"""

from __future__ import annotations

import hashlib
import zlib
from bisect import bisect_left, bisect_right
from pathlib import Path
from typing import BinaryIO

from headrace.business.ports import FileDigest as FileDigest
from headrace.errors import NonRetryableError
from headrace.infrastructure.formats import parquet_layout as layout
from headrace.infrastructure.formats.parquet_layout import ParquetFile, number, pages_of, rows, set_number, signed
from headrace.infrastructure.formats.thrift_compact import I32, Malformed, Struct, decode, encode
from headrace.records import record


def add_checksums(source: Path, target: Path) -> FileDigest:
    """Write `source` to the new file `target` with a checksum in each page. Checksums that are there already are verified."""
    with source.open("rb") as reading, target.open("xb") as writing:
        try:
            return _Copy(ParquetFile(reading), writing).run()
        except Malformed as fault:
            raise _damaged(source, fault) from None


@record
class ParquetSummary:
    """What the footer of a file says: how many rows, compressed how; and whether its first page has a checksum."""

    rows: int
    codecs: frozenset[str]
    has_checksums: bool


def summary(source: Path) -> ParquetSummary:
    """Look at a file without reading its pages. One without pages needs no checksums."""
    with source.open("rb") as reading:
        file = ParquetFile(reading)
        try:
            footer, _ = file.footer()
            chunks = list(layout.chunks(footer))
            codecs = frozenset(layout.CODECS[number(c[layout.CHUNK_META][1], layout.META_CODEC)] for c in chunks)
            first = min((pages_of(c)[0] for c in chunks), default=0)
            checked = not first or layout.PAGE_CRC in file.header(first)[0]
        except (Malformed, IndexError, KeyError) as fault:
            raise _damaged(source, fault) from None
    return ParquetSummary(number(footer, layout.FILE_ROWS), codecs, checked)


class _Copy:
    """One pass over a file: pages with their new headers, the rest as it is."""

    def __init__(self, source: ParquetFile, target: BinaryIO) -> None:
        self.source, self.target = source, target
        self.written, self.hash = 0, hashlib.sha256(usedforsecurity=False)
        # From `starts[i]` of the source on, everything stands `shifts[i]` bytes further behind.
        self.starts: list[int] = []
        self.shifts: list[int] = []
        # By how much the header of the page at an offset of the source grew, and how long a page index became.
        self.pages: list[int] = []
        self.growth: dict[int, int] = {}
        self.index_lengths: dict[int, int] = {}

    def run(self) -> FileDigest:
        footer, end = self.source.footer()
        at = 0
        for start, stop, is_pages in self._spans(footer):
            if start < at or stop > end:
                raise Malformed("its columns overlap, or reach into the footer")
            self._plain(at, start)
            if is_pages:
                self._pages(start, stop)
            else:
                self._offset_index(start, stop)
            at = stop
        self._plain(at, end)
        for group in rows(footer, layout.FILE_ROW_GROUPS):
            self._move_group(group)
        last = encode(footer)
        self._write(last + len(last).to_bytes(4, "little") + layout.MAGIC)
        return FileDigest(self.hash.hexdigest(), self.written)

    def _spans(self, footer: Struct) -> list[tuple[int, int, bool]]:
        """What is not copied as it is, in the order of the file: the pages of each column, and the offset indexes."""
        spans = []
        for chunk in layout.chunks(footer):
            spans.append((*pages_of(chunk), True))
            if index := number(chunk, layout.CHUNK_OFFSET_INDEX):
                spans.append((index, index + number(chunk, layout.CHUNK_OFFSET_INDEX_LENGTH), False))
        return sorted(spans)

    def _plain(self, start: int, stop: int) -> None:
        self._here(start)
        for block in self.source.blocks(start, stop - start):
            self._write(block)

    def _pages(self, start: int, stop: int) -> None:
        at = start
        while at < stop:
            header, length = self.source.header(at)
            body, size = at + length, number(header, layout.PAGE_COMPRESSED)
            if size < 0 or body + size > stop:
                raise Malformed("a page is longer than its column")
            # A page larger than a block is read twice, because its checksum stands before it.
            block = self.source.read(body, size) if size <= layout.BLOCK else None
            crc = signed(zlib.crc32(block)) if block is not None else self.source.crc(body, size)
            with_crc = encode(_with_crc(header, crc))
            self._here(at)
            self.pages.append(at)
            self.growth[at] = len(with_crc) - length
            self._write(with_crc)
            for part in [block] if block is not None else self.source.blocks(body, size):
                self._write(part)
            at = body + size

    def _offset_index(self, start: int, stop: int) -> None:
        index, _ = decode(self.source.read(start, stop - start))
        for location in rows(index, layout.INDEX_LOCATIONS):
            page = number(location, layout.LOCATION_OFFSET)
            if page not in self.growth:
                raise Malformed("its page index points at something that is not a page")
            set_number(location, layout.LOCATION_OFFSET, self._moved(page))
            set_number(location, layout.LOCATION_BYTES, number(location, layout.LOCATION_BYTES) + self.growth[page])
        self._here(start)
        moved = encode(index)
        self.index_lengths[start] = len(moved)
        self._write(moved)

    def _move_group(self, group: Struct) -> None:
        grown = sum(self._move_chunk(chunk) for chunk in rows(group, layout.GROUP_COLUMNS))
        for field in (layout.GROUP_BYTES, layout.GROUP_COMPRESSED):
            if field in group:
                set_number(group, field, number(group, field) + grown)
        if offset := number(group, layout.GROUP_OFFSET):
            set_number(group, layout.GROUP_OFFSET, self._moved(offset))

    def _move_chunk(self, chunk: Struct) -> int:
        """Let the numbers of a column follow its pages. Returns by how many bytes these grew."""
        meta: Struct = chunk[layout.CHUNK_META][1]
        start, stop = pages_of(chunk)
        own = self.pages[bisect_left(self.pages, start) : bisect_left(self.pages, stop)]
        grown = sum(self.growth[page] for page in own)
        for field in (layout.META_BYTES, layout.META_COMPRESSED):
            set_number(meta, field, number(meta, field) + grown)
        in_meta = (layout.META_DATA_PAGE, layout.META_INDEX_PAGE, layout.META_DICTIONARY_PAGE, layout.META_BLOOM)
        for owner, field in (*((meta, f) for f in in_meta), (chunk, layout.CHUNK_OFFSET), (chunk, layout.CHUNK_COLUMN_INDEX)):
            if offset := number(owner, field):
                set_number(owner, field, self._moved(offset))
        if index := number(chunk, layout.CHUNK_OFFSET_INDEX):
            set_number(chunk, layout.CHUNK_OFFSET_INDEX, self._moved(index))
            set_number(chunk, layout.CHUNK_OFFSET_INDEX_LENGTH, self.index_lengths[index])
        return grown

    def _here(self, offset: int) -> None:
        """What stood at `offset` of the source comes next."""
        self.starts.append(offset)
        self.shifts.append(self.written - offset)

    def _moved(self, offset: int) -> int:
        return offset + self.shifts[bisect_right(self.starts, offset) - 1]

    def _write(self, data: bytes) -> None:
        self.target.write(data)
        self.hash.update(data)
        self.written += len(data)


def _with_crc(header: Struct, crc: int) -> Struct:
    if layout.PAGE_CRC in header and number(header, layout.PAGE_CRC) != crc:
        raise Malformed("a page is damaged: it does not agree with the checksum that it has")
    return dict(sorted({**header, layout.PAGE_CRC: (I32, crc)}.items()))


def _damaged(source: Path, fault: Exception) -> NonRetryableError:
    return NonRetryableError(f"{source}: cannot be given page checksums: {fault}", hint="write the file again")
