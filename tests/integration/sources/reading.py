"""Reads a source the way an engine's session does, for tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headrace.business.ports import InputFile, Scan
from headrace.infrastructure.duckdb_connection import Connection, connect
from headrace.infrastructure.engines.duckdb.reading import DuckDBTable, open_scan


@dataclass
class Read:
    """What came of a scan: rows by file, what was rejected, and the record number of each row."""

    rows: list[tuple[Any, ...]]
    rejected: list[tuple[int, int, str, str, str]]
    records: list[tuple[int, int]]
    """File and record number of each row."""

    def reasons(self) -> list[str]:
        return [reason for _, _, _, reason, _ in self.rejected]

    def in_order(self, file: int = 0) -> list[tuple[str, Any]]:
        """Rows and rejected texts of a file in the order of their record numbers."""
        rows = [
            (number, "row", row[:-1]) for row, (index, number) in zip(self.rows, self.records, strict=True) if index == file
        ]
        lost = [(number, "rejected", text) for index, number, text, _, _ in self.rejected if index == file]
        merged = sorted([*rows, *lost])
        assert [number for number, _, _ in merged] == list(range(1, len(merged) + 1))
        return [(kind, value) for _, kind, value in merged]


def read(scan: Scan, con: Connection | None = None) -> Read:
    """Read a scan to its end, on a connection of its own or on one that is used many times."""
    connection = con or connect()
    connection.execute("DROP TABLE IF EXISTS loaded")
    opened = open_scan(connection, scan, 'the "source"')
    try:
        opened.load(
            DuckDBTable(connection, "loaded", lambda rows: connection.execute(f"CREATE TABLE loaded AS SELECT * FROM {rows}"))
        )
        rows = connection.execute("SELECT * FROM loaded").fetchall()
        table = opened.rejected()
        rejected = connection.execute(f"SELECT * FROM {table}").fetchall() if table else []
        connection.execute(
            'CREATE OR REPLACE TEMP TABLE ranks AS SELECT _file AS "file", n - min(n) OVER (PARTITION BY _file) AS rank '
            "FROM (SELECT _file, row_number() OVER () AS n FROM loaded)"
        )
        records = connection.execute(
            f'SELECT "file", record FROM ({opened.record_numbers("ranks")}) ORDER BY "file", rank'
        ).fetchall()
        again = connection.execute(f"SELECT * FROM {opened.relation}").fetchall()
        assert repr(again) == repr(rows), "reading twice gives the same rows in the same order"
        return Read(rows, rejected, records)
    finally:
        opened.close()
        if con is None:
            connection.close()


def written(folder: Path, *contents: bytes, suffix: str = ".csv") -> Sequence[InputFile]:
    """Files with these contents, as a source lists them."""
    files = []
    for i, content in enumerate(contents):
        path = folder / f"part{i}{suffix}"
        path.write_bytes(content)
        stat = path.stat()
        files.append(InputFile(str(path), stat.st_size, stat.st_mtime_ns))
    return files
