"""Reads delimited text with DuckDB, every column as text, and finds out what DuckDB did not take. Not who guesses the dialect."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from headrace.business.ports import DelimitedScan
from headrace.infrastructure.duckdb_connection import Connection
from headrace.infrastructure.engines.duckdb.literals import identifier, text
from headrace.infrastructure.engines.duckdb.reading_census import Census, Doubt
from headrace.infrastructure.engines.duckdb.reading_rejects import Noted, noted, rejects, restore_texts
from headrace.infrastructure.engines.duckdb.reading_text import Part, TextReading, Verdict, paths, union_all

#: DuckDB reads a longer line only when told so.
_LONGEST_LINE = 2 << 20

#: How much text a thread parses at a time unless told otherwise, and the most it is told: the buffer that it gets anyway.
_USUAL_SHARE, _LARGEST_SHARE = 8_000_000, 32_000_000

#: Rows for which shares are made: a row group of a table (122,880), and a quarter more, because lines differ in length.
_ROWS_OF_A_SHARE = 153_600


@dataclass(frozen=True)
class _Group:
    """Files in a row that one call can read, and the tables where it notes what it rejects."""

    parts: list[Part]
    rejects: str
    scans: str


class DelimitedReading(TextReading):
    """See `TextReading`."""

    scan: DelimitedScan

    def __init__(self, con: Connection, scan: DelimitedScan, name: str, *, sample: bool = False) -> None:
        self._made: list[_Group] = []
        super().__init__(con, scan, name, (scan.heads[file.path].plain or not file.bytes for file in scan.files), sample=sample)

    @property
    def relation(self) -> str:
        return union_all([self._select(group) for group in self._groups()], self.scan.schema.names)

    def _groups(self) -> list[_Group]:
        readable = [part for part in self.parts if part.file.bytes and self.scan.heads[part.file.path].names]
        # DuckDB takes only plain words as names of these tables, so the name of the dataset cannot be part of them.
        return [
            _Group(
                list(parts), f"rejects_{self._number_of_reading}_{number}", f"rejects_scan_{self._number_of_reading}_{number}"
            )
            for number, (_, parts) in enumerate(groupby(readable, key=self._alike))
        ]

    def _alike(self, part: Part) -> Any:
        head = self.scan.heads[part.file.path]
        return part.index if part.copied else (head.names, head.preamble, head.newline)

    def _select(self, group: _Group) -> str:
        head = self.scan.heads[group.parts[0].file.path]
        columns = ", ".join(
            identifier(name) if name in head.names else f"NULL::VARCHAR AS {identifier(name)}"
            for name in self.scan.schema.names
        )
        file = (
            f"[{', '.join(str(part.index) for part in group.parts)}][file_index::BIGINT + 1]"
            if len(group.parts) > 1
            else group.parts[0].index
        )
        return f'SELECT {columns}, {file}::INTEGER AS "_file" FROM {self._read(group)}'

    def _read(self, group: _Group) -> str:
        first = group.parts[0]
        head, copy = self.scan.heads[first.file.path], first.tidied if first.copied else None
        columns = ", ".join(f"{text(name)}: 'VARCHAR'" for name in head.names)
        options = {
            "auto_detect": "false",
            "hive_partitioning": "false",
            "columns": f"{{{columns}}}",
            "header": "false",
            "skip": "0" if copy else str(head.preamble),
            "delim": text(self.scan.delimiter),
            "quote": text(self.scan.quote),
            "escape": text(self.scan.escape),
            "new_line": r"'\n'" if copy or head.newline == "\n" else r"'\r\n'",
            "nullstr": "''",
            "allow_quoted_nulls": "false",
        }
        if copy:
            longest = max(_LONGEST_LINE, copy.longest)
            options |= {"max_line_size": str(longest), "buffer_size": str(4 * longest)} if longest > _LONGEST_LINE else {}
        elif self.loaded:
            options["ignore_errors"] = "true"
        else:
            options |= {"store_rejects": "true", "rejects_table": text(group.rejects), "rejects_scan": text(group.scans)}
        if not copy and (share := self._share(group, head.line_bytes)):
            options["buffer_size"] = str(share)
        files = paths([str(copy.path)] if copy else [part.file.path for part in group.parts])
        return f"read_csv({files}, {', '.join(f'{key} = {value}' for key, value in options.items())})"

    def _share(self, group: _Group, line_bytes: int) -> int | None:
        """How much text a thread is to parse at a time, if not as much as usual. In a table that keeps the order of the file, shares
        of less than a row group are copied once more, to make whole ones; that costs half as much as writing them did."""
        share = _ROWS_OF_A_SHARE * line_bytes
        if not _USUAL_SHARE < share <= _LARGEST_SHARE:
            return None
        threads = int(self.con.execute("SELECT current_setting('threads')").fetchall()[0][0])
        several_for_each = sum(part.file.bytes for part in group.parts) >= 4 * threads * share
        return share if several_for_each else None

    # Rejects ------------------------------------------------------------------------------------------------------------

    def _forget_rejects(self) -> None:
        self._drop_rejects()
        self._made = [group for group in self._groups() if not group.parts[0].copied]

    def _drop_rejects(self) -> None:
        for group in self._made:
            for table in (group.rejects, group.scans):
                self.con.execute(f"DROP TABLE IF EXISTS {identifier(table)}")

    def _doubt(self) -> Doubt | None:
        """A quote that opens again behind spaces, as in `"x" "y"`: DuckDB reads on, and leaves the quotes out. A quote that opens a field
        stands behind a delimiter or a line end, and is no doubt."""
        if not self.scan.quote:
            return None
        quote, delimiter = re.escape(self.scan.quote.encode()), re.escape(self.scan.delimiter.encode())
        return Doubt(self.scan.quote.encode() + b" ", re.compile(b"[^" + delimiter + b"\r\n]" + quote + b" +" + quote))

    def _noted(self) -> dict[int, Noted]:
        """What DuckDB rejected in the files that it read by itself, by their index."""
        return {
            group.parts[file].index: found for group in self._made for file, found in noted(self.con, group.rejects).items()
        }

    def _verdicts(self, parts: list[Part], rows: dict[int, int], found: dict[str, Census]) -> list[Verdict]:
        rejected = self._noted()
        return [self._verdict(part, rows.get(part.index, 0), found[part.file.path], rejected.get(part.index)) for part in parts]

    def _verdict(self, part: Part, rows: int, found: Census, rejected: Noted | None) -> Verdict:
        head = self.scan.heads[part.file.path]
        if found.nul or found.doubtful or found.lone_returns or (head.newline == "\n" and found.pairs):
            return "wrong"
        if rejected and not (rejected.harmless and restore_texts(self.con, rejected, part.file.path, self._restored(part))):
            return "wrong"
        lines = found.lines - head.preamble - (found.blank_end if len(head.names) > 1 else 0)
        return "right" if lines == rows + (rejected.lines if rejected else 0) else "recount"

    def _restored(self, part: Part) -> Path:
        return self._workplace() / f"{part.index}.jsonl"

    def _direct_rejects(self) -> list[str]:
        by_index = {part.index: part for part in self.parts}
        selects = []
        for index, found in self._noted().items():
            part = by_index[index]
            head = self.scan.heads[part.file.path]
            if not part.tidied:
                selects.append(rejects(found, index, head.preamble, len(head.names), self._restored(part)))
        return selects
