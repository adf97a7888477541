"""Which bytes of a Parquet file hold what: its footer, and some of its columns. For files of which not everything is here."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from headrace.infrastructure.formats.parquet_layout import (
    FILE_ROW_GROUPS,
    GROUP_COLUMNS,
    MAGIC,
    ParquetFile,
    pages_of,
    root_of,
    rows,
)
from headrace.infrastructure.formats.thrift_compact import Malformed

Range = tuple[int, int]

#: Gaps up to this size are read rather than left out: another request takes longer.
_WORTH_A_REQUEST = 256 << 10
#: Where more than this share of a file is wanted, all of it is.
_NEARLY_ALL = 0.8
_TAIL = 8


def ends(size: int, guess: int) -> list[Range]:
    """The start of a file, and so much of its end as a footer usually takes."""
    return [(0, min(len(MAGIC), size)), (max(0, size - guess), size)]


def footer(path: Path, size: int) -> Range:
    """Where the footer stands by the last bytes of the file, and nothing where they are not those of Parquet."""
    with path.open("rb") as file:
        file.seek(max(0, size - _TAIL))
        tail = file.read(_TAIL)
    length = int.from_bytes(tail[:4], "little") if tail[4:] == MAGIC else 0
    return max(0, size - _TAIL - length), size


def of_columns(path: Path, columns: Collection[str]) -> list[Range] | None:
    """The ranges with these columns and all that is no page of a column, such as indexes and filters. None where the whole file
    may as well be read, also because its structure cannot be followed: then whoever reads it says what is wrong."""
    with path.open("rb") as reading:
        file = ParquetFile(reading)
        try:
            metadata, start = file.footer()
            chunks = [chunk for group in rows(metadata, FILE_ROW_GROUPS) for chunk in rows(group, GROUP_COLUMNS)]
            skipped = sorted(pages_of(chunk) for chunk in chunks if root_of(chunk) not in columns)
        except (Malformed, IndexError, KeyError):
            return None
        size = reading.seek(0, 2)
    wanted = _without(skipped, size)
    share = sum(stop - from_ for from_, stop in wanted) / max(1, size)
    return None if share > _NEARLY_ALL or not start else wanted


def _without(skipped: list[Range], size: int) -> list[Range]:
    """Everything but these ranges, and those of them that are not worth leaving out."""
    wanted: list[Range] = []
    at = 0
    for start, stop in _joined(skipped):
        if stop - start > _WORTH_A_REQUEST:
            if start > at:
                wanted.append((at, start))
            at = stop
    return [*wanted, (at, size)] if at < size else wanted


def _joined(ranges: list[Range]) -> list[Range]:
    joined: list[Range] = []
    for start, stop in ranges:
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(stop, joined[-1][1]))
        else:
            joined.append((start, stop))
    return joined
