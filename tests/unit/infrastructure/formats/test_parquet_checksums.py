"""Page checksums: the same data before and after, every flipped bit found, and nothing believed that is not Parquet."""

import hashlib
import itertools
import random
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from headrace.errors import NonRetryableError
from headrace.infrastructure.formats import parquet_layout
from headrace.infrastructure.formats.parquet_checksums import add_checksums, summary
from headrace.infrastructure.formats.parquet_layout import ParquetFile, chunks, number, pages_of

ROWS = """
    SELECT i, i % 7 AS few, CASE WHEN i % 3 = 0 THEN NULL ELSE md5(i::VARCHAR) END AS text, (i / 7)::DOUBLE AS ratio,
           i::DECIMAL(15, 2) AS money, [i, NULL] AS items, {'a': i, 'b': [i::VARCHAR]} AS nested, TIMESTAMP '2020-01-01' + INTERVAL 1 SECOND * i AS at
    FROM range(20_000) t(i)
"""


def write_with_duckdb(path: Path, options: str = "") -> Path:
    duckdb.connect().execute(f"COPY ({ROWS}) TO '{path}' (FORMAT parquet, ROW_GROUP_SIZE 4096{options})")
    return path


def table() -> pa.Table:
    n = 5_000
    return pa.table({
        "n": pa.array(range(n)),
        "few": pa.array([str(i % 5) for i in range(n)]),
        "maybe": pa.array([None if i % 3 else float(i) for i in range(n)]),
        "nested": pa.array([{"x": [i, i + 1]} for i in range(n)]),
    })  # fmt: skip


def verified(path: Path) -> pa.Table:
    return pq.read_table(path, page_checksum_verification=True)


@pytest.mark.parametrize(
    "options", ["", ", COMPRESSION zstd", ", COMPRESSION uncompressed", ", PARQUET_VERSION v2", ", COMPRESSION gzip"]
)
def test_what_duckdb_wrote_reads_the_same_everywhere(tmp_path: Path, options: str) -> None:
    source, target = write_with_duckdb(tmp_path / "source.parquet", options), tmp_path / "target.parquet"
    digest = add_checksums(source, target)
    assert verified(target).equals(pq.read_table(source))
    missing = duckdb.connect().execute(f"SELECT count(*) FROM (FROM '{source}' EXCEPT ALL FROM '{target}')").fetchone()
    assert missing == (0,)
    assert digest.sha256 == hashlib.sha256(target.read_bytes()).hexdigest()
    assert digest.bytes == target.stat().st_size
    assert summary(target).has_checksums
    assert not summary(source).has_checksums


@pytest.mark.parametrize(
    "options",
    [
        {"write_page_index": True, "data_page_size": 2_000},
        {"data_page_version": "2.0", "write_page_index": True},
        {"use_dictionary": False, "row_group_size": 700},
        {"bloom_filter_options": {"n": True}},
    ],
)
def test_what_others_wrote_keeps_its_indexes(tmp_path: Path, options: dict[str, object]) -> None:
    source, target = tmp_path / "source.parquet", tmp_path / "target.parquet"
    pq.write_table(table(), source, **options)
    add_checksums(source, target)
    assert verified(target).equals(table())
    found = duckdb.connect().execute(f"SELECT few, nested.x[1] FROM '{target}' WHERE n = 4321").fetchone()
    assert found == ("1", 4321)


def test_a_page_index_points_at_the_moved_pages(tmp_path: Path) -> None:
    source, target = tmp_path / "source.parquet", tmp_path / "target.parquet"
    pq.write_table(table(), source, write_page_index=True, data_page_size=2_000)
    add_checksums(source, target)
    with target.open("rb") as opened:
        file = ParquetFile(opened)
        for chunk in chunks(file.footer()[0]):
            at = number(chunk, parquet_layout.CHUNK_OFFSET_INDEX)
            index, length = parquet_layout.decode(file.read(at, 1 << 20))
            assert length == number(chunk, parquet_layout.CHUNK_OFFSET_INDEX_LENGTH)
            for location in parquet_layout.rows(index, parquet_layout.INDEX_LOCATIONS):
                header, size = file.header(number(location, parquet_layout.LOCATION_OFFSET))
                assert size + number(header, parquet_layout.PAGE_COMPRESSED) == number(location, parquet_layout.LOCATION_BYTES)


def test_the_sizes_in_the_footer_are_those_of_the_pages(tmp_path: Path) -> None:
    target = tmp_path / "target.parquet"
    add_checksums(write_with_duckdb(tmp_path / "source.parquet"), target)
    with target.open("rb") as opened:
        file = ParquetFile(opened)
        footer, end = file.footer()
        spans = sorted(pages_of(chunk) for chunk in chunks(footer))
        for start, stop in spans:
            at = start
            while at < stop:
                header, length = file.header(at)
                assert parquet_layout.PAGE_CRC in header
                at += length + number(header, parquet_layout.PAGE_COMPRESSED)
            assert at == stop
        assert all(stop <= start for (_, stop), (start, _) in itertools.pairwise(spans))
        assert spans[-1][1] <= end


def test_a_page_larger_than_a_block_is_streamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, whole, streamed = write_with_duckdb(tmp_path / "source.parquet"), tmp_path / "whole", tmp_path / "streamed"
    add_checksums(source, whole)
    monkeypatch.setattr(parquet_layout, "BLOCK", 1_000)
    add_checksums(source, streamed)
    assert streamed.read_bytes() == whole.read_bytes()


def test_every_flipped_bit_in_a_page_is_found(tmp_path: Path) -> None:
    target = tmp_path / "target.parquet"
    add_checksums(write_with_duckdb(tmp_path / "source.parquet"), target)
    good = target.read_bytes()
    with target.open("rb") as opened:
        spans = [pages_of(chunk) for chunk in chunks(ParquetFile(opened).footer()[0])]
    chance = random.Random(4)
    found = 0
    for _ in range(60):
        bad = bytearray(good)
        start, stop = chance.choice(spans)
        bad[chance.randrange(start, stop)] ^= 1 << chance.randrange(8)
        target.write_bytes(bad)
        try:
            verified(target)
        except (OSError, pa.ArrowException):
            found += 1
    assert found == 60


@pytest.mark.parametrize("rows", [0, 1])
def test_small_tables_are_files_too(tmp_path: Path, rows: int) -> None:
    source, target = tmp_path / "source.parquet", tmp_path / "target.parquet"
    duckdb.connect().execute(f"COPY (SELECT i, i::VARCHAR AS s FROM range({rows}) t(i)) TO '{source}' (FORMAT parquet)")
    add_checksums(source, target)
    assert verified(target).num_rows == rows


def test_checksums_that_are_there_are_kept_and_a_wrong_one_is_an_error(tmp_path: Path) -> None:
    first, second, third = tmp_path / "first", tmp_path / "second", tmp_path / "third"
    add_checksums(write_with_duckdb(tmp_path / "source.parquet"), first)
    add_checksums(first, second)
    assert second.read_bytes() == first.read_bytes()
    bad = bytearray(first.read_bytes())
    with first.open("rb") as opened:
        _, stop = pages_of(next(chunks(ParquetFile(opened).footer()[0])))
    bad[stop - 1] ^= 1
    first.write_bytes(bad)
    with pytest.raises(NonRetryableError, match="does not agree with the checksum"):
        add_checksums(first, third)


@pytest.mark.parametrize("damage", ["cut", "magic", "empty", "footer", "text"])
def test_what_is_not_parquet_is_refused_by_name(tmp_path: Path, damage: str) -> None:
    source = write_with_duckdb(tmp_path / "source.parquet")
    good = source.read_bytes()
    source.write_bytes({
        "cut": good[: len(good) // 2] + b"PAR1",
        "magic": good[:-4] + b"PARE",
        "empty": b"",
        "footer": good[:-8] + (1 << 31).to_bytes(4, "little") + b"PAR1",
        "text": b"a,b\n1,2\n3,4\n",
    }[damage])  # fmt: skip
    with pytest.raises(NonRetryableError, match=r"source\.parquet: cannot be given page checksums"):
        add_checksums(source, tmp_path / "target.parquet")


def test_an_existing_target_is_never_written_over(tmp_path: Path) -> None:
    source = write_with_duckdb(tmp_path / "source.parquet")
    with pytest.raises(FileExistsError):
        add_checksums(source, source)
