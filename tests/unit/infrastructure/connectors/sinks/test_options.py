"""The options of sinks: none is accepted and ignored, and what cannot work is said while planning."""

from typing import Any

import pytest
from pydantic import ValidationError

from headrace.business.model.schema import Schema
from headrace.business.model.types import Decimal, Float, Integer, Interval, String
from headrace.business.ports import Publisher
from headrace.infrastructure.connectors.duckdb_sink import DuckDBSink
from headrace.infrastructure.connectors.file_sink import FileSink
from headrace.infrastructure.connectors.postgres_sink import PostgresSink
from headrace.infrastructure.connectors.publishing import PublishingOptions
from headrace.infrastructure.connectors.sqlite_sink import SQLiteSink

SCHEMA = Schema.of(id=Integer(), name=String(), price=Decimal(9, 2), ratio=Float())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mode": "merge"}, "needs `key`"),
        ({"mode": "scd2"}, "needs `key`"),
        ({"key": "id"}, "means nothing in mode `replace`"),
        ({"mode": "append", "key": ["id"]}, "means nothing in mode `append`"),
        ({"mode": "merge", "key": "id", "deleted": "close"}, "`deleted` means nothing"),
        ({"mode": "upsert"}, "append"),
        ({"format": "csv", "compression": "snappy"}, "cannot be compressed with snappy; allowed: none, gzip, zstd"),
        ({"format": "parquet", "delimiter": ";"}, "`delimiter` means nothing for parquet"),
        ({"format": "jsonl", "escape_formulas": True}, "`escape_formulas` means nothing for jsonl"),
        ({"path": "out.csv", "format": "parquet"}, "ends like csv"),
        ({"path": "out.csv", "partition_by": "id"}, "needs a folder"),
        ({"format": "csv", "delimiter": '"'}, "cannot be a quote"),
        ({"format": "csv", "delimiter": "||"}, "at most 1"),
        ({"path": "a\0b"}, "NUL"),
        ({"path": ""}, "at least 1"),
        ({"pth": "x"}, "not permitted"),
    ],
)
def test_options_that_mean_nothing_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        FileSink.model_validate({"path": "out/", **options})


@pytest.mark.parametrize(
    ("path", "one", "form", "compression", "delimiter"),
    [
        ("out", False, "parquet", None, ","),
        ("out/", False, "parquet", None, ","),
        ("a.b/c", False, "parquet", None, ","),
        ("out.parquet", True, "parquet", None, ","),
        ("out.csv", True, "csv", None, ","),
        ("out.csv.gz", True, "csv", "gzip", ","),
        ("out.tsv.zst", True, "csv", "zstd", "\t"),
        ("out.ndjson", True, "jsonl", None, ","),
        ("out.csv/", False, "csv", None, ","),
    ],
)
def test_the_path_says_what_it_is(path: str, one: bool, form: str, compression: str | None, delimiter: str) -> None:
    sink = FileSink(path=path)
    assert (sink.one_file, sink.layout.format, sink.layout.compression, sink.layout.delimiter) == (
        one,
        form,
        compression,
        delimiter,
    )


@pytest.mark.parametrize(
    ("sink", "message"),
    [
        (FileSink(path="o", mode="merge", key=("nme",)), "there is no column `nme`; did you mean `name`?"),
        (FileSink(path="o", mode="merge", key=("id", "id")), "named twice"),
        (FileSink(path="o", partition_by=("month",)), "partition_by: there is no column `month`"),
        (FileSink(path="o", partition_by=("ratio",)), "makes no good name of a folder"),
        (FileSink(path="o", mode="scd2", key=("id",), valid_from="Price"), "is what scd2 would add"),
        (DuckDBSink(path="o", table="a.b.c"), "not the name of a table"),
        (DuckDBSink(path="o", table="t", indexes=(("nme",),)), "did you mean `name`?"),
        (SQLiteSink(path="o", table="a.b"), "SQLite has no schemas"),
        (SQLiteSink(path="o", table="sqlite_x"), "belong to SQLite"),
        (PostgresSink.model_validate({"url": "postgresql://x", "table": "s." + "t" * 64}), "more than 63 bytes"),
        (
            PostgresSink.model_validate(
                {"url": "postgresql://x", "table": "t", "mode": "scd2", "key": "id", "valid_to": "é" * 32}
            ),
            "63 bytes",
        ),
    ],
)
def test_what_cannot_work_is_said_while_planning(sink: Publisher, message: str) -> None:
    assert any(message in problem for problem in sink.problems(SCHEMA))


def test_columns_that_differ_in_case_alone_are_a_problem() -> None:
    sinks: list[Publisher] = [FileSink(path="o"), DuckDBSink(path="o", table="t"), SQLiteSink(path="o", table="t")]
    for sink in sinks:
        assert any("differ in case alone" in p for p in sink.problems(Schema.of(a=String(), A=String())))


def test_parquet_has_no_type_for_the_largest_numbers() -> None:
    assert any("decimal(38, 0)" in p for p in FileSink(path="o").problems(Schema.of(id=Integer(128))))
    assert not list(FileSink(path="o", format="csv").problems(Schema.of(id=Integer(128), span=Interval())))


def test_good_options_have_no_problems() -> None:
    keyed = {"mode": "scd2", "key": "id", "table": "flights", "indexes": ["name", ["id", "price"], "is_current"]}
    sinks: list[Publisher] = [
        FileSink(path="o", partition_by=("name",)), DuckDBSink.model_validate({"path": "o", **keyed}),
        SQLiteSink.model_validate({"path": "o", **keyed}), PostgresSink.model_validate({"url": "postgresql://x", **keyed}),
    ]  # fmt: skip
    assert [list(sink.problems(SCHEMA)) for sink in sinks] == [[], [], [], []]
    assert all(isinstance(sink, Publisher) and sink.guarantee() for sink in sinks)


def test_a_sink_can_be_made_to_rebuild() -> None:
    """As a full refresh does: the same sink in another mode."""
    sink = FileSink(path="o", mode="append").model_copy(update={"mode": "replace"})
    assert isinstance(sink, PublishingOptions)
    assert sink.mode == "replace"


def test_a_password_is_not_shown() -> None:
    sink = PostgresSink.model_validate({"url": "postgresql://u:geheim@h/d", "table": "t"})
    assert "geheim" not in repr(sink) + str(sink) + sink.model_dump_json()
