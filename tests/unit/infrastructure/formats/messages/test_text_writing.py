"""What is written as text reads back as the same values, once the contract's casts have been at it."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.infrastructure.formats.messages.messages import as_messages, reader_of

from headrace.business.model.schema import Column, Schema
from headrace.business.model.types import DataType, String, parse_type
from headrace.infrastructure.duckdb_connection import connect
from headrace.infrastructure.engines.duckdb.casts import lenient
from headrace.infrastructure.foreign_types import arrow_type
from headrace.infrastructure.formats.message_formats import message_format

CONNECTION = connect(threads=1)

TYPES: dict[str, st.SearchStrategy[Any]] = {
    "boolean": st.booleans(),
    "int8": st.integers(-128, 127),
    "int64": st.integers(-(2**63), 2**63 - 1),
    "uint64": st.integers(0, 2**64 - 1),
    "int128": st.integers(-(10**37), 10**37),
    "float64": st.floats(),
    "float32": st.floats(width=32),
    "decimal(38, 12)": st.decimals(-(10**25), 10**25, places=12),
    "decimal(5, 2)": st.decimals(-999, 999, places=2),
    "string": st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    "date": st.dates(date(1, 1, 1)),
    "time": st.times(),
    "timestamp": st.datetimes(),
    "timestamptz": st.datetimes(timezones=st.just(UTC)),
    "binary": st.binary(),
    "list<int32>": st.lists(st.integers(-5, 5)),
    "struct<a: int32, b: string>": st.fixed_dictionaries({"a": st.integers(-5, 5), "b": st.sampled_from(["", "x", "ä"])}),
}
SCHEMA = Schema(tuple(Column(f"the {name}", parse_type(name)) for name in TYPES))
FORMATS: list[Any] = ["json", {"ndjson": {"rows": 3}}, "csv", {"csv": {"header": True, "delimiter": ";", "rows": 2}}]
PAIRS = [(message_format(name).writer(SCHEMA, Path()), reader_of(name, SCHEMA)) for name in FORMATS]


def typed(texts: pa.RecordBatch, schema: Schema) -> pa.Table:
    """The texts as the contract of these columns would have them."""
    CONNECTION.register("texts", pa.Table.from_batches([texts]))
    values = ", ".join(f'{_cast(column.name, column.type)} AS "{column.name}"' for column in schema)
    return CONNECTION.arrow_table(f"SELECT {values} FROM texts")


def _cast(name: str, kind: DataType) -> str:
    return f'"{name}"' if isinstance(kind, String) else lenient(f'"{name}"', String(), kind)


def in_python(value: Any) -> Any:
    return "nan" if isinstance(value, float) and math.isnan(value) else value


@settings(max_examples=12)
@given(st.lists(st.tuples(*(st.none() | values for values in TYPES.values())), min_size=1, max_size=8))
def test_what_is_written_is_read(given: Sequence[tuple[Any, ...]]) -> None:
    arrays = [pa.array(list(column), arrow_type(c.type)) for column, c in zip(zip(*given, strict=True), SCHEMA, strict=True)]
    rows = pa.RecordBatch.from_arrays(arrays, names=list(SCHEMA.names))
    for writer, reader in PAIRS:
        decoded = reader.read(as_messages(writer.write(rows).to_pylist()))
        assert not decoded.unreadable
        found = typed(decoded.rows, SCHEMA)
        for column, array in zip(SCHEMA, arrays, strict=True):
            read = [in_python(value) for value in found.column(column.name).cast(array.type).to_pylist()]
            assert read == [in_python(value) for value in array.to_pylist()], column


def test_json_says_what_people_expect() -> None:
    schema = Schema.of(
        id=parse_type("int32"), price=parse_type("decimal(9, 2)"), at=parse_type("timestamptz"), more=parse_type("json")
    )
    rows = pa.RecordBatch.from_pydict(
        {
            "id": pa.array([1], pa.int32()),
            "price": pa.array([Decimal("12.50")], pa.decimal128(9, 2)),
            "at": pa.array([datetime(2013, 1, 1, 12, tzinfo=UTC)], pa.timestamp("us", "UTC")),
            "more": pa.array(['{"a": [1, null]}']),
        }
    )
    (body,) = message_format("json").writer(schema, Path()).write(rows).to_pylist()
    assert json.loads(body) == {"id": 1, "price": 12.5, "at": "2013-01-01T12:00:00.000000Z", "more": {"a": [1, None]}}


@pytest.mark.parametrize("count", [0, 1, 3, 4])
def test_a_block_has_so_many_lines_and_ends_its_last(count: int) -> None:
    rows = pa.RecordBatch.from_pydict({"n": list(range(count))})
    schema = Schema.of(n=parse_type("int64"))
    blocks = message_format({"ndjson": {"rows": 3}}).writer(schema, Path()).write(rows).to_pylist()
    assert b"".join(blocks) == b"".join(b'{"n":%d}\n' % n for n in range(count))
    assert [block.count(b"\n") for block in blocks] == [min(3, count - at) for at in range(0, count, 3)]


def test_times_of_day_are_written_whole() -> None:
    rows = pa.RecordBatch.from_pydict({"t": pa.array([time(1, 2, 3, 4)], pa.time64("us"))})
    (body,) = message_format("json").writer(Schema.of(t=parse_type("time")), Path()).write(rows).to_pylist()
    assert json.loads(body) == {"t": "01:02:03.000004"}
