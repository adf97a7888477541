"""Delimited text that DuckDB reads by itself: in which shares, and that they change nothing about the rows."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from headrace.business.ports import DelimitedScan, InputFile
from headrace.infrastructure.engines.duckdb.reading_delimited import DelimitedReading
from headrace.infrastructure.engines.duckdb.reading_open import DuckDBTable
from headrace.infrastructure.formats.delimited import Delimited


def scan_of(path: Path) -> DelimitedScan:
    return Delimited().scan([InputFile(str(path), path.stat().st_size, path.stat().st_mtime_ns)])


def written(path: Path, rows: int, width: int) -> Path:
    """A file of lines that are a little longer than `width`; each has its number."""
    text = f"SELECT i AS n, repeat('x', {width}) AS filling FROM range({rows}) AS r(i)"
    with duckdb.connect() as con:
        con.execute(f"COPY ({text}) TO '{path}' (FORMAT csv, HEADER)")
    return path


def test_a_look_at_the_start_tells_how_long_lines_are(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,b\n1,2\n333,4444\n")
    (tmp_path / "b.csv").write_text("a,b\n")
    assert scan_of(tmp_path / "a.csv").heads[str(tmp_path / "a.csv")].line_bytes == 6
    assert scan_of(tmp_path / "b.csv").heads[str(tmp_path / "b.csv")].line_bytes == 0


def test_shares_make_whole_row_groups_and_keep_the_order(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", 700_000, 50)
    with duckdb.connect(config={"threads": 1}) as con:
        reading = DelimitedReading(con, scan_of(path), "a")
        assert "buffer_size = " in reading.relation
        into = DuckDBTable(
            con, "a", lambda relation: con.execute(f"CREATE TABLE a AS SELECT *, _file AS f FROM {relation}"), "f"
        )
        reading.load(into)
        assert con.execute("SELECT count(*), count_if(rowid <> n::BIGINT) FROM a").fetchall() == [(700_000, 0)]
        reading.close()


@pytest.mark.parametrize(
    ("rows", "width", "threads"),
    [(10_000, 50, 1), (700_000, 50, 8), (150_000, 300, 1), (1_000_000, 5, 1)],
    ids=["a small file", "too few shares for all threads", "lines too long for a buffer", "lines so short that the usual does"],
)
def test_shares_are_as_usual_otherwise(rows: int, width: int, threads: int, tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", rows, width)
    with duckdb.connect(config={"threads": threads}) as con:
        assert "buffer_size" not in DelimitedReading(con, scan_of(path), "a").relation
