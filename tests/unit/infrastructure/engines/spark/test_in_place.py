"""Which Parquet files Spark is let read by itself: those that executors see, and of which it makes the types that DuckDB makes."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from headrace.business.model.schema import Schema
from headrace.business.model.types import Integer, String, parse_type
from headrace.business.ports import InputFile, ParquetScan
from headrace.engine_settings import SparkSettings
from headrace.infrastructure.engines.spark.in_place import relation

LOCAL = SparkSettings("local[2]")


def scan(folder: Path, query: str, schema: Schema, name: str = "a.parquet") -> ParquetScan:
    path = folder / name
    with duckdb.connect() as con:
        con.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet)")
    return ParquetScan(schema, (InputFile(str(path), path.stat().st_size, 0),))


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("true", "boolean"), ("1::tinyint", "int8"), ("1::usmallint", "uint16"), ("1::ubigint", "uint64"), ("1.5::decimal(15, 2)", "decimal(15, 2)"),
        ("1::float", "float32"), ("'x'", "string"), ("'x'::blob", "binary"), ("date '2024-02-29'", "date"), ("timestamp '2024-02-29'", "timestamp"),
        ("timestamptz '2024-02-29'", "timestamptz"), ("timestamp_ms '2024-02-29'", "timestamp"),
    ],
)  # fmt: skip
def test_what_both_read_alike_is_read_in_place(tmp_path: Path, value: str, kind: str) -> None:
    assert relation(scan(tmp_path, f"SELECT {value} AS v", Schema.of(v=parse_type(kind))), LOCAL) is not None


@pytest.mark.parametrize(
    ("query", "kind"),
    [
        ("SELECT timestamp_ns '2024-02-29' AS v", "timestamp"), ("SELECT [1] AS v", "list<int32>"), ("SELECT {'a': 1} AS v", "struct<a: int32>"),
        ("SELECT time '10:00' AS v", "time"), ("SELECT json '1' AS v", "json"), ("SELECT uuid() AS v", "string"), ("SELECT 1::bigint AS v", "int32"),
        ("SELECT 1 AS V", "int32"), ("SELECT 1 AS v, 1 AS _metadata", "int32"),
    ],
)  # fmt: skip
def test_what_they_may_read_otherwise_is_handed_over(tmp_path: Path, query: str, kind: str) -> None:
    assert relation(scan(tmp_path, query, Schema.of(v=parse_type(kind))), LOCAL) is None


def test_executors_on_other_machines_see_what_is_said_to_be_shared(tmp_path: Path) -> None:
    found = scan(tmp_path, "SELECT 1 AS v", Schema.of(v=Integer(32)))
    away = SparkSettings("spark://there:7077")
    assert relation(found, away) is None
    assert relation(found, SparkSettings("spark://there:7077", shared=(str(tmp_path),))) == relation(found, LOCAL)
    assert relation(found, SparkSettings(remote="sc://there", shared=("/elsewhere",))) is None


def test_a_file_that_spark_would_pass_over_is_handed_over(tmp_path: Path) -> None:
    assert relation(scan(tmp_path, "SELECT 1 AS v", Schema.of(v=Integer(32)), "_a.parquet"), LOCAL) is None


def test_a_file_that_is_none_is_left_to_who_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(b"PAR1 but not really")
    assert relation(ParquetScan(Schema.of(v=String()), (InputFile(str(path), 19, 0),)), LOCAL) is None
