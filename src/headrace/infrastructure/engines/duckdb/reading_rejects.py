"""What DuckDB noted of the lines that it rejected in delimited files, and what they say in truth. Not whether to trust it.

DuckDB cuts long texts, and writes question marks for bytes that are not UTF-8. What it cut or changed is looked up in the file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

from headrace.infrastructure.duckdb_connection import Connection
from headrace.infrastructure.engines.duckdb.literals import identifier, text
from headrace.records import record

#: What DuckDB may reject without making us doubt the rest, and our words for it. Anything with quotes is doubtful: it may have
#: swallowed the records behind it.
REASONS = {"MISSING COLUMNS": "too_few_fields", "TOO MANY COLUMNS": "too_many_fields", "INVALID ENCODING": "encoding"}

#: How much of a rejected text DuckDB keeps.
_CUT = 10_000

#: Up to so many rejected texts are looked up in the file one by one; a file with more is tidied instead.
_MOST_RESTORED = 50_000


@record
class Noted:
    """The rejects of one file: where they are noted, and what they come to."""

    table: str
    file_id: int
    kinds: frozenset[str]
    lines: int
    cut: int
    unclear: int

    @property
    def source(self) -> str:
        return f"FROM {identifier(self.table)} WHERE file_id = {self.file_id}"

    @property
    def harmless(self) -> bool:
        """Whether nothing among them puts the rest of the file in doubt."""
        return self.kinds <= set(REASONS) and not self.cut and self.unclear <= _MOST_RESTORED


def noted(con: Connection, table: str) -> dict[int, Noted]:
    """The rejects of each file that has any, by its number in the call that read it."""
    rows = con.execute(
        f"SELECT file_id, list(DISTINCT error_type::VARCHAR), count(DISTINCT line), count_if(strlen(csv_line) >= {_CUT}), "
        f"count_if(contains(csv_line, '?')) FROM {identifier(table)} GROUP BY file_id"
    ).fetchall()
    return {file: Noted(table, file, frozenset(kinds), lines, cut, unclear) for file, kinds, lines, cut, unclear in rows}


def restore_texts(con: Connection, found: Noted, file: str, into: Path) -> bool:
    """Look up in the file what DuckDB may have changed, and write it to a file of JSON lines. False when it does not stand there."""
    if not found.unclear:
        return True
    query = f"SELECT DISTINCT line, line_byte_position, csv_line {found.source} AND contains(csv_line, '?')"
    texts = _restored(file, con.execute(query).fetchall())
    if texts is not None:
        into.write_text("".join(json.dumps(text) + "\n" for text in texts), encoding="utf-8")
    return texts is not None


def rejects(found: Noted, index: int, preamble: int, expected: int, restored: Path) -> str:
    """A SELECT of `file, record, text, reason, message`."""
    reasons = " ".join(f"WHEN '{kind}' THEN '{reason}'" for kind, reason in REASONS.items())
    wanted = f"{expected} field{'s' if expected > 1 else ''} expected, "
    lines = (
        f"SELECT line, trim(any_value(csv_line), chr(10) || chr(13)) AS text, "
        f"any_value(CASE error_type::VARCHAR {reasons} END) AS reason, "
        f"'{wanted}' || max(regexp_extract(error_message, 'Found: ([0-9]+)', 1)) || ' found' AS message {found.source} GROUP BY line"
    )
    truth = "(SELECT NULL::UBIGINT AS line, NULL AS text, NULL AS message WHERE false)"
    if found.unclear:
        columns = "{line: 'UBIGINT', text: 'VARCHAR', message: 'VARCHAR'}"
        truth = (
            f"read_json({text(str(restored))}, format = 'newline_delimited', hive_partitioning = false, columns = {columns})"
        )
    return (
        f'SELECT {index}::INTEGER AS "file", (r.line - {preamble})::BIGINT AS record, coalesce(t.text, r.text) AS text, '
        f"CASE WHEN t.message IS NULL THEN r.reason ELSE 'encoding' END AS reason, coalesce(t.message, r.message) AS message "
        f"FROM ({lines}) AS r LEFT JOIN {truth} AS t USING (line)"
    )


def _restored(path: str, lines: Iterable[tuple[int, int, str]]) -> list[dict[str, Any]] | None:
    """The texts that stand in the file where DuckDB says `line, position, text`, with a message where they are not UTF-8.

    None when they do not stand there, give or take a byte, which is as exact as DuckDB is about positions.
    """
    found = []
    with open(path, "rb") as file:  # noqa: PTH123 - a path may hold any character
        for line, position, shown in lines:
            raw = _standing(file, position, shown.strip("\r\n").encode())
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


def _standing(file: BinaryIO, position: int, shown: bytes) -> bytes | None:
    """The line at a position that counts from 1, or one or two bytes beside it."""
    pattern = re.compile(re.escape(shown).replace(b"\\?", b"[^\r\n]") + rb"(?=[\r\n]|\Z)")
    for beside in (0, 1, -1, 2, -2):
        start = position - 1 + beside
        if start < 1:
            continue
        file.seek(start - 1)
        around = file.read(len(shown) + 2)
        found = pattern.match(around, 1)
        if found and around[:1] in (b"\n", b"\r"):
            return found[0]
    return None
