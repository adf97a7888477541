"""Lines counted without parsing, and record numbers out of ranks."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from headrace.infrastructure.engines.duckdb.reading_census import Census, census
from headrace.infrastructure.engines.duckdb.reading_text import record_numbers


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"", Census(0, 0, 0, 0, nul=False)),
        (b"a\n", Census(1, 0, 0, 0, nul=False)),
        (b"a\nb", Census(2, 0, 0, 0, nul=False)),
        (b"a\n\n\n", Census(3, 0, 0, 2, nul=False)),
        (b"a\r\nb\r\n\r\n", Census(3, 3, 0, 1, nul=False)),
        (b"a\rb\r\nc\r", Census(2, 1, 2, 0, nul=False)),
        (b"abc\r\n" * 300_001, Census(300_001, 300_001, 0, 0, nul=False)),
        (b"a\0\n" * 300_000, Census(300_000, 0, 0, 0, nul=True)),
    ],
)
def test_lines_of_a_file(data: bytes, found: Census, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(data)
    assert census(str(path)) == found


def test_a_row_has_the_number_of_its_record_whatever_was_rejected_before_it() -> None:
    with duckdb.connect() as con:
        con.execute('CREATE TABLE lost AS SELECT * FROM (VALUES (0, 1), (0, 2), (0, 5), (1, 3)) AS t("file", record)')
        con.execute('CREATE TABLE ranks AS SELECT f::INTEGER AS "file", r AS rank FROM range(3) AS a(f), range(4) AS b(r)')
        found = con.execute(
            f'SELECT "file", list(record ORDER BY rank) FROM ({record_numbers("ranks", "lost")}) GROUP BY 1 ORDER BY 1'
        ).fetchall()
    assert found == [(0, [3, 4, 6, 7]), (1, [1, 2, 4, 5]), (2, [1, 2, 3, 4])]
