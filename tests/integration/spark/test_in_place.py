"""Parquet files that the executors read where they lie: what comes of them is what DuckDB makes of them."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.integration.pushdown.both import Came, of
from tests.integration.runs.project import Project
from tests.integration.spark.shop import settle

from headrace.errors import NonRetryableError

FIRST = """
SELECT * FROM (VALUES
    (1::UTINYINT, 18446744073709551615::UBIGINT, 1.25::DECIMAL(9, 2), 0.1::FLOAT, DATE '0001-01-01', TIMESTAMP '1582-10-10 00:00:00', TIMESTAMPTZ '1900-01-01 00:00:00+00', 'é𝄞', 'x'::BLOB, true),
    (NULL, 0, NULL, 'nan'::FLOAT, DATE '9999-12-31', NULL, TIMESTAMPTZ '2024-03-31 01:30:00+00', NULL, NULL, NULL),
    (7, 5, -3.00, '-inf'::FLOAT, NULL, TIMESTAMP '2024-02-29 12:00:00.123456', NULL, '', ''::BLOB, false)
) AS t(k, big, price, f, d, moment, zoned, s, raw, yes)
"""
#: Another order of columns, one of them missing.
SECOND = (
    "SELECT 'zz' AS s, 7::UTINYINT AS k, 9::UBIGINT AS big, 0.5::FLOAT AS f, true AS yes, DATE '2024-01-01' AS d FROM range(3)"
)
CONTRACT = {
    "columns": {
        "k": {"type": "uint8", "required": True, "unique": True},
        "price": {"type": "decimal(9, 2)", "at_least": 0},
        "s": {"type": "string", "matches": "^.{0,2}$"},
    }
}


def parquet(path: Path, query: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect() as con:
        con.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet)")


def plain(folder: Path) -> Project:
    """A pipeline from `in.parquet` to `out.csv`."""
    settle(folder)
    source = {"file": {"path": "in.parquet"}}
    return Project(folder).define(engine="spark", sources={"rows": source}, sinks=[{"name": "out", "file": "out.csv"}])


def came(folder: Path, engine: str) -> Came:
    parquet(folder / "in" / "a.parquet", FIRST)
    parquet(folder / "in" / "b.parquet", SECOND)
    settle(folder)
    project = Project(folder).define(
        engine=engine,
        sources={"rows": {"file": {"path": "in/*.parquet"}, "contract": CONTRACT}},
        steps=[{"derive": {"up": "upper(s)"}}],
        sinks=[{"name": "out", "file": {"path": "out/last/", "format": "parquet"}}],
    )
    return of(project, project.run())


def test_rows_reasons_and_records_are_the_same(tmp_path: Path) -> None:
    meant = came(tmp_path / "duckdb", "duckdb")
    assert came(tmp_path / "spark", "spark") == meant
    assert meant.balances["rows"] == [6, 1, 5, 0, 0]


def test_the_plan_says_where_they_are_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parquet(tmp_path / "in.parquet", "SELECT 1 AS v")
    assert plain(tmp_path).cli("plan", str(tmp_path / "pipeline.yaml")) == 0
    assert "rows: read by the executors, where its files lie" in capsys.readouterr().out


def test_a_damaged_page_is_found(tmp_path: Path) -> None:
    path = tmp_path / "in.parquet"
    table = pa.table({"v": pa.array(range(10_000), pa.int64())})
    pq.write_table(table, path, compression="none", use_dictionary=False, write_page_checksum=True)
    content = bytearray(path.read_bytes())
    content[40_000] ^= 1
    path.write_bytes(content)
    with pytest.raises(NonRetryableError, match=r"in\.parquet.*(checksum|CRC)"):
        plain(tmp_path).run()
    assert not (tmp_path / "out.csv").exists()
