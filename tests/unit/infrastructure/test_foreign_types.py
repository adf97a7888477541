"""Types of other systems as ours."""

from __future__ import annotations

import pyarrow as pa
import pytest

from headrace.business.model.types import parse_type
from headrace.errors import NonRetryableError
from headrace.infrastructure.foreign_types import arrow_columns, arrow_type, from_duckdb


@pytest.mark.parametrize(
    ("written", "kind", "cast"),
    [
        ("INTEGER", "int32", "INTEGER"),
        ("DECIMAL(10,2)", "decimal(10, 2)", "DECIMAL(10,2)"),
        ("UUID[]", "list<string>", "VARCHAR[]"),
        ("INTEGER[3]", "list<int32>", "INTEGER[]"),
        ("ENUM('a', 'b')", "string", "VARCHAR"),
        ("TIMESTAMP_NS", "timestamp", "TIMESTAMP"),
        (
            'STRUCT(a INTEGER, "b c" VARCHAR[])[]',
            "list<struct<a: int32, b c: list<string>>>",
            'STRUCT("a" INTEGER, "b c" VARCHAR[])[]',
        ),
        ("MAP(VARCHAR, BIGINT)", "json", "JSON"),
        ("STRUCT(m MAP(INTEGER, INTEGER))", "json", "JSON"),
    ],
)
def test_types_of_duckdb(written: str, kind: str, cast: str) -> None:
    found = from_duckdb(written)
    assert (str(found.type), found.written) == (kind, cast)


@pytest.mark.parametrize("written", ["BIT", "UNION(a INTEGER)", "TIME WITH TIME ZONE", "GEOMETRY"])
def test_types_that_have_no_equal_are_refused(written: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        from_duckdb(written)


@pytest.mark.parametrize(
    "written",
    ["boolean", "int8", "uint64", "float32", "float64", "decimal(38, 10)", "string", "date", "time", "timestamp", "timestamptz", "interval", "binary", "list<int32>", "struct<a: list<string>>"],
)  # fmt: skip
def test_our_types_in_arrow_come_back_as_themselves(written: str) -> None:
    kind = parse_type(written)
    [column] = arrow_columns(pa.schema([pa.field("a", arrow_type(kind))]), "here")
    assert column.type == kind


def test_an_arrow_type_that_cannot_be_read_is_named_with_its_column() -> None:
    with pytest.raises(NonRetryableError, match="`b` of here has the Arrow type halffloat"):
        arrow_columns(pa.schema([("a", pa.int8()), ("b", pa.float16())]), "here")
