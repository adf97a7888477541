"""The ranges of a Parquet file: what is left out are the pages of columns that nobody wants, and a reader never misses them."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from headrace.infrastructure.formats import parquet_ranges


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two wide columns, one narrow and one nested, in several row groups."""
    path = tmp_path_factory.mktemp("parquet") / "t.parquet"
    with duckdb.connect() as con:
        con.execute(
            f"""COPY (SELECT i AS id, i % 9 AS few, repeat(md5(i::VARCHAR), 10) AS wide, {{'a': repeat(md5((i+1)::VARCHAR), 10), 'b': i}} AS deep
            FROM range(20000) t(i)) TO '{path}' (FORMAT parquet, ROW_GROUP_SIZE 6144, COMPRESSION uncompressed)"""
        )
    return path


def holed(file: Path, columns: list[str], copy: Path) -> int:
    """A copy with the ranges of some columns alone; how many bytes these are."""
    data = file.read_bytes()
    wanted = parquet_ranges.of_columns(file, columns) or [(0, len(data))]
    with copy.open("wb") as out:
        out.truncate(len(data))
        for start, stop in wanted:
            out.seek(start)
            out.write(data[start:stop])
    return sum(stop - start for start, stop in wanted)


@pytest.mark.parametrize(
    ("columns", "share"),
    [(["id"], 0.1), (["few"], 0.1), (["wide"], 0.6), (["deep"], 0.6), (["id", "wide", "deep"], 1.0), ([], 0.1)],
)
def test_what_is_wanted_can_be_read_and_little_else_is_there(file: Path, tmp_path: Path, columns: list[str], share: float):
    size = file.stat().st_size
    assert holed(file, columns, tmp_path / "holed.parquet") <= size * share
    with duckdb.connect() as con:
        for column in columns or ["count(*)"]:
            query = f"SELECT {column} FROM '{{}}' ORDER BY 1"
            assert (
                con.execute(query.format(tmp_path / "holed.parquet")).fetchall() == con.execute(query.format(file)).fetchall()
            )


def test_the_footer_is_found_by_the_last_bytes(file: Path):
    size = file.stat().st_size
    start, stop = parquet_ranges.footer(file, size)
    assert stop == size
    assert 0 < start < size
    assert parquet_ranges.ends(size, 100) == [(0, 4), (size - 100, size)]
    assert parquet_ranges.ends(3, 100) == [(0, 3), (0, 3)]


def test_of_what_cannot_be_followed_everything_is_wanted(tmp_path: Path):
    for number, data in enumerate((b"", b"PAR1", b"PAR1" + b"x" * 50 + b"PAR1", b"no Parquet at all")):
        path = tmp_path / str(number)
        path.write_bytes(data)
        assert parquet_ranges.of_columns(path, ["id"]) is None
