"""Reads delimited text with DuckDB, every column as text, and finds out what DuckDB did not take. Not who guesses the dialect."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, BinaryIO

import duckdb

from headrace.business.model.types import String
from headrace.business.ports import DelimitedScan
from headrace.infrastructure.engines.duckdb.literals import identifier, literal
from headrace.infrastructure.engines.duckdb.reading_census import Census
from headrace.infrastructure.engines.duckdb.reading_text import Part, TextReading, Verdict, paths, union_all

#: What DuckDB may reject without making us doubt the rest, and our words for it. Anything with quotes is doubtful: it may have
#: swallowed the records behind it.
_REASONS = {"MISSING COLUMNS": "too_few_fields", "TOO MANY COLUMNS": "too_many_fields", "INVALID ENCODING": "encoding"}

#: How much of a rejected text DuckDB keeps.
_CUT = 10_000

#: Up to so many rejected texts are looked up in the file one by one; a file with more is tidied instead.
_MOST_RESTORED = 50_000

#: DuckDB reads a longer line only when told so.
_LONGEST_LINE = 2 << 20


@dataclass(frozen=True)
class _Group:
    """Files in a row that one call can read."""

    number: int
    parts: list[Part]


class DelimitedReading(TextReading):
    """See `TextReading`."""

    scan: DelimitedScan

    def __init__(self, con: duckdb.DuckDBPyConnection, scan: DelimitedScan, name: str) -> None:
        self._restored: dict[int, Path] = {}
        super().__init__(con, scan, name, (scan.heads[file.path].plain or not file.bytes for file in scan.files))

    @property
    def relation(self) -> str:
        return union_all([self._select(group) for group in self._groups()], self.scan.schema.names)

    def _groups(self) -> list[_Group]:
        readable = [part for part in self.parts if part.file.bytes and self.scan.heads[part.file.path].names]
        together = groupby(readable, key=self._alike)
        return [_Group(number, list(parts)) for number, (_, parts) in enumerate(together)]

    def _alike(self, part: Part) -> Any:
        head = self.scan.heads[part.file.path]
        return part.index if part.copied else (head.names, head.preamble, head.newline)

    def _select(self, group: _Group) -> str:
        first = group.parts[0]
        head = self.scan.heads[first.file.path]
        columns = ", ".join(
            identifier(name) if name in head.names else f"NULL::VARCHAR AS {identifier(name)}" for name in self.scan.schema.names
        )
        indexes = [part.index for part in group.parts]
        if indexes == list(range(first.index, first.index + len(indexes))):
            file = f"(file_index + {first.index})::INTEGER" if len(indexes) > 1 else f"{first.index}::INTEGER"
        else:
            file = f"[{', '.join(map(str, indexes))}][file_index::BIGINT + 1]::INTEGER"
        return f'SELECT {columns}, {file} AS "_file" FROM {self._read(group)}'

    def _read(self, group: _Group) -> str:
        first = group.parts[0]
        head, copy = self.scan.heads[first.file.path], first.tidied if first.copied else None
        names = ", ".join(f"{literal(name, String())}: 'VARCHAR'" for name in head.names)
        options = {
            "auto_detect": "false",
            "columns": f"{{{names}}}",
            "header": "false",
            "skip": "0" if copy else str(head.preamble),
            "delim": literal(self.scan.delimiter, String()),
            "quote": literal(self.scan.quote, String()),
            "escape": literal(self.scan.escape, String()),
            "new_line": r"'\n'" if copy or head.newline == "\n" else r"'\r\n'",
            "nullstr": "''",
            "allow_quoted_nulls": "false",
        }
        if copy:
            longest = max(_LONGEST_LINE, copy.longest)
            options |= {"max_line_size": str(longest), "buffer_size": str(4 * longest)} if longest > _LONGEST_LINE else {}
            return _call([str(copy.path)], options)
        if self.loaded:
            options["ignore_errors"] = "true"
        else:
            table, scans = self._reject_tables(group.number)
            options |= {"store_rejects": "true", "rejects_table": literal(table, String()), "rejects_scan": literal(scans, String())}
        return _call([part.file.path for part in group.parts], options)

    # Rejects ------------------------------------------------------------------------------------------------------------

    def _reject_tables(self, number: int) -> tuple[str, str]:
        """DuckDB takes only plain words here, so the name of the dataset cannot be part of them."""
        return f"rejects_{id(self)}_{number}", f"rejects_scan_{id(self)}_{number}"

    def _forget_rejects(self) -> None:
        self._rejected = None
        self._restored.clear()
        for group in self._groups():
            for table in self._reject_tables(group.number):
                self.con.execute(f"DROP TABLE IF EXISTS {identifier(table)}")

    def _verdict(self, part: Part, rows: int, found: Census) -> Verdict:
        head = self.scan.heads[part.file.path]
        returns_right = found.returns == 0 if head.newline == "\n" else found.returns >= found.lines - 1
        rejects = self._reject_counts(part)
        if found.nul or not returns_right or set(rejects) - set(_REASONS) or not self._texts_restored(part):
            return "wrong"
        lines = found.lines - head.preamble - (found.blank_end if len(head.names) > 1 else 0)
        return "right" if lines == rows + self._number(f"SELECT count(DISTINCT line) {self._from_rejects(part)}") else "recount"

    def _reject_counts(self, part: Part) -> dict[str, int]:
        query = f"SELECT error_type::VARCHAR, count(*) {self._from_rejects(part)} GROUP BY ALL"
        return dict(self.con.execute(query).fetchall())

    def _from_rejects(self, part: Part) -> str:
        """The rejects of one file, as DuckDB noted them."""
        group, table = next((g, t) for g, t in self._direct_groups() if part in g.parts)
        return f"FROM {identifier(table)} WHERE file_id = {group.parts.index(part)}"

    def _texts_restored(self, part: Part) -> bool:
        """DuckDB cuts long texts, and writes question marks for bytes that are not UTF-8. Whether the texts could be had all the same."""
        if self._number(f"SELECT count(*) {self._from_rejects(part)} AND strlen(csv_line) >= {_CUT}"):
            return False
        unclear = f"{self._from_rejects(part)} AND contains(csv_line, '?')"
        if not 0 < self._number(f"SELECT count(*) {unclear}") <= _MOST_RESTORED:
            return not self._number(f"SELECT count(*) {unclear}")
        lines = self.con.execute(f"SELECT DISTINCT line, line_byte_position, csv_line {unclear}").fetchall()
        texts = restored(part.file.path, lines)
        if texts is None:
            return False
        path = self._workplace() / f"{part.index}.jsonl"
        path.write_text("".join(json.dumps(text) + "\n" for text in texts), encoding="utf-8")
        self._restored[part.index] = path
        return True

    def _direct_groups(self) -> list[tuple[_Group, str]]:
        """The groups that DuckDB read by itself, with its table of rejects."""
        return [(group, self._reject_tables(group.number)[0]) for group in self._groups() if not group.parts[0].copied]

    def _direct_rejects(self) -> list[str]:
        return [self._part_rejects(part) for group, _ in self._direct_groups() for part in group.parts if not part.tidied]

    def _part_rejects(self, part: Part) -> str:
        head = self.scan.heads[part.file.path]
        expected = len(head.names)
        reasons = " ".join(f"WHEN '{kind}' THEN '{reason}'" for kind, reason in _REASONS.items())
        wanted = f"{expected} field{'s' if expected > 1 else ''} expected, "
        rejects = (
            f"SELECT line, trim(any_value(csv_line), chr(10) || chr(13)) AS text, any_value(CASE error_type::VARCHAR {reasons} END) AS reason, "
            f"'{wanted}' || max(regexp_extract(error_message, 'Found: ([0-9]+)', 1)) || ' found' AS message "
            f"{self._from_rejects(part)} GROUP BY line"
        )
        columns = "{line: 'UBIGINT', text: 'VARCHAR', message: 'VARCHAR'}"
        if part.index in self._restored:
            path = literal(str(self._restored[part.index]), String())
            restored_texts = f"read_json({path}, format = 'newline_delimited', columns = {columns})"
        else:
            restored_texts = "(SELECT NULL::UBIGINT AS line, NULL AS text, NULL AS message WHERE false)"
        return (
            f'SELECT {part.index}::INTEGER AS "file", (r.line - {head.preamble})::BIGINT AS record, coalesce(t.text, r.text) AS text, '
            f"CASE WHEN t.message IS NULL THEN r.reason ELSE 'encoding' END AS reason, coalesce(t.message, r.message) AS message "
            f"FROM ({rejects}) AS r LEFT JOIN {restored_texts} AS t USING (line)"
        )


def _call(files: list[str], options: dict[str, str]) -> str:
    written = ", ".join(f"{key} = {value}" for key, value in options.items())
    return f"read_csv({paths(files)}, {written})"


def restored(path: str, lines: Iterable[tuple[int, int, str]]) -> list[dict[str, Any]] | None:
    """The texts that stand in the file where DuckDB says `line, position, text`, with a message where they are not UTF-8.

    None when they do not stand there, give or take a byte, which is as exact as DuckDB is about positions.
    """
    found = []
    with open(path, "rb") as file:  # noqa: PTH123 - a path may hold any character
        for line, position, text in lines:
            bare = text.strip("\r\n").encode()
            raw = _standing(file, position, bare)
            if raw is None:
                return None
            message = None
            try:
                exact = raw.decode()
            except UnicodeDecodeError as error:
                exact = raw.decode(errors="backslashreplace")
                message = f"not text in the encoding of the file, from its byte {error.start + 1} on"
            found.append({"line": line, "text": exact, "message": message})
    return found


def _standing(file: BinaryIO, position: int, text: bytes) -> bytes | None:
    """The line at a position that counts from 1, or one or two bytes beside it."""
    pattern = re.compile(re.escape(text).replace(b"\\?", b"[^\r\n]") + rb"(?=[\r\n]|\Z)")
    for beside in (0, 1, -1, 2, -2):
        start = position - 1 + beside
        if start < 1:
            continue
        file.seek(start - 1)
        around = file.read(len(text) + 2)
        found = pattern.match(around, 1)
        if found and around[:1] in (b"\n", b"\r"):
            return found[0]
    return None
