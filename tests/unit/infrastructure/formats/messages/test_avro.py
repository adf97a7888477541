"""Avro in messages: the columns that fastavro would give, and a fault of one message that stays its own."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import fastavro
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.infrastructure.formats.messages.messages import as_messages, reader_of, told

from headrace.business.model.schema import Schema
from headrace.business.model.types import parse_type
from headrace.errors import NonRetryableError
from headrace.infrastructure.formats import avro
from headrace.infrastructure.formats.message_formats import message_format
from headrace.infrastructure.formats.messages.avro_reading import AvroRecords, parsed

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
ints, longs = st.integers(-(2**31), 2**31 - 1), st.integers(-(2**63), 2**63 - 1)
INNER = {"type": "record", "name": "Inner", "fields": [{"name": "x", "type": ["null", "int"]}, {"name": "y", "type": "string"}]}

#: A type of a field, and the values that it may have.
FLAT: list[tuple[Any, st.SearchStrategy[Any]]] = [
    ("int", ints),
    ("long", longs),
    ("boolean", st.booleans()),
    ("double", st.floats(allow_nan=False)),
    ("float", st.floats(width=32, allow_nan=False)),
    ("string", texts),
    ("bytes", st.binary(max_size=20)),
    ("null", st.none()),
    (["null", "string"], st.none() | texts),
    (["long", "null"], st.none() | longs),
    ({"type": "enum", "name": "Kind", "symbols": ["a", "b", "ccc"]}, st.sampled_from(["a", "b", "ccc"])),
    ({"type": "fixed", "name": "Four", "size": 4}, st.binary(min_size=4, max_size=4)),
    ({"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 3}, st.decimals(-(10**8), 10**8, places=3)),
    ({"type": "bytes", "logicalType": "decimal", "precision": 38, "scale": 0}, st.integers(-(10**37), 10**37).map(Decimal)),
    ({"type": "fixed", "name": "Money", "size": 8, "logicalType": "decimal", "precision": 15, "scale": 2}, st.decimals(-999, 999, places=2)),
    ({"type": "int", "logicalType": "date"}, st.dates()),
    ({"type": "long", "logicalType": "time-micros"}, st.times()),
    ({"type": "int", "logicalType": "time-millis"}, st.integers(0, 86_399_999).map(lambda n: time(n // 3_600_000, n // 60_000 % 60, n // 1000 % 60, n % 1000 * 1000))),
    ({"type": "long", "logicalType": "timestamp-micros"}, st.datetimes(timezones=st.just(UTC))),
    ({"type": "long", "logicalType": "local-timestamp-micros"}, st.datetimes()),
    (["null", INNER], st.none() | st.fixed_dictionaries({"x": st.none() | ints, "y": texts})),
]  # fmt: skip
DEEP: list[tuple[Any, st.SearchStrategy[Any]]] = [
    ({"type": "array", "items": "int"}, st.lists(ints, max_size=3)),
    ({"type": "map", "values": "string"}, st.dictionaries(texts, texts, max_size=3)),
]


def schema_of(types: Sequence[Any]) -> dict[str, Any]:
    return parsed(
        {"type": "record", "name": "Row", "fields": [{"name": f"f{i}", "type": t} for i, t in enumerate(types)]}, "it"
    )


def written(schema: Any, rows: Sequence[dict[str, Any]]) -> list[bytes]:
    bodies = []
    for row in rows:
        out = io.BytesIO()
        fastavro.schemaless_writer(out, schema, row)
        bodies.append(out.getvalue())
    return bodies


EVERY = schema_of([kind for kind, _ in FLAT])
ARROW = avro.arrow_schema(EVERY, "it")
every_row = st.tuples(*(values for _, values in FLAT)).map(lambda row: {f"f{i}": value for i, value in enumerate(row)})


@settings(max_examples=60)
@given(st.lists(every_row, max_size=5))
def test_columns_are_what_the_records_hold(rows: list[dict[str, Any]]) -> None:
    decode = AvroRecords(EVERY, None, ARROW)
    assert decode._fields is not None, "these are decoded in columns"
    decoded = decode(pa.array(written(EVERY, rows), pa.binary()))
    assert not decoded.unreadable
    assert decoded.rows == pa.RecordBatch.from_pylist(rows, schema=ARROW)


@settings(max_examples=60)
@given(st.lists(every_row, min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_damage_stays_where_it_is(rows: list[dict[str, Any]], random: Random) -> None:
    """A body is good to us exactly if it is to fastavro, down to its last byte, and its neighbours are what they were."""
    bodies = written(EVERY, rows)
    damaged = bytearray(bodies[0])
    for _ in range(random.randint(1, 3)):
        damaged[random.randrange(len(damaged))] = random.randrange(256)
    damaged = damaged[: random.choice([len(damaged), random.randrange(len(damaged) + 1)])] + random.choice([b"", b"", b"\0"])
    decoded = AvroRecords(EVERY, None, ARROW)(pa.array([bodies[-1], bytes(damaged), *bodies], pa.binary()))
    assert {bad.message for bad in decoded.unreadable} <= {1}
    good = decoded.rows.num_rows - len(rows) - 1
    assert decoded.rows.slice(1 + good) == pa.RecordBatch.from_pylist(rows, schema=ARROW)
    stream = io.BytesIO(bytes(damaged))
    try:
        theirs = [fastavro.schemaless_reader(stream, EVERY)]
        if stream.tell() < len(damaged):
            theirs = []
        expected = pa.RecordBatch.from_pylist(theirs, schema=ARROW)
    except (ValueError, EOFError, IndexError, KeyError, TypeError, OverflowError, MemoryError):
        return
    if good:
        assert decoded.rows.slice(1, 1).to_pylist() == expected.to_pylist()


@settings(max_examples=20)
@given(st.lists(st.tuples(*(values for _, values in DEEP)), max_size=3))
def test_arrays_and_maps_are_read_one_by_one(rows: list[tuple[Any, ...]]) -> None:
    schema = schema_of([kind for kind, _ in DEEP])
    given = [{f"f{i}": value for i, value in enumerate(row)} for row in rows]
    arrow = avro.arrow_schema(schema, "it")
    decoded = AvroRecords(schema, None, arrow)(pa.array([*written(schema, given), b"\x05"], pa.binary()))
    assert decoded.rows == pa.RecordBatch.from_pylist(given, schema=arrow)
    assert told(decoded) == [(len(rows), "avro.invalid")]


def test_schemas_are_resolved_by_name_alias_default_and_width() -> None:
    old = parsed({"type": "record", "name": "R", "fields": [{"name": "n", "type": "int"}, {"name": "gone", "type": "string"}, {"name": "was", "type": "float"}]}, "it")  # fmt: skip
    new = parsed(
        {"type": "record", "name": "R", "fields": [
            {"name": "is", "aliases": ["was"], "type": "double"}, {"name": "n", "type": "long"},
            {"name": "word", "type": "string", "default": "none"}, {"name": "maybe", "type": ["null", "int"], "default": None},
            {"name": "day", "type": {"type": "int", "logicalType": "date"}, "default": 1},
            {"name": "raw", "type": "bytes", "default": "\u00ff"},
        ]}, "it",
    )  # fmt: skip
    body = written(old, [{"n": 1, "gone": "x", "was": 0.5}])[0]
    decoded = AvroRecords(old, new, avro.arrow_schema(new, "it"))(pa.array([body]))
    mine = decoded.rows.to_pylist()[0]
    assert mine == {"is": 0.5, "n": 1, "word": "none", "maybe": None, "day": date(1970, 1, 2), "raw": b"\xff"}
    with pytest.raises(NonRetryableError, match="has no field `must`"):
        AvroRecords(
            old, parsed({"type": "record", "name": "R", "fields": [{"name": "must", "type": "int"}]}, "it"), pa.schema([])
        )


def test_the_schema_is_a_file_of_the_project(tmp_path: Path) -> None:
    schema = {"type": "record", "name": "E", "fields": [{"name": "id", "type": "long"}, {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}}]}  # fmt: skip
    (tmp_path / "event.avsc").write_text(json.dumps(schema))
    reader = reader_of({"avro": {"schema": "event.avsc"}}, Schema(), tmp_path)
    when = datetime(2013, 1, 1, tzinfo=UTC)
    decoded = reader.read(as_messages([*written(parsed(schema, "it"), [{"id": 7, "at": when}]), b"", None]))
    assert decoded.rows.to_pylist() == [{"id": 7, "at": when}]
    assert told(decoded) == [(1, "avro.invalid"), (2, "message.without_body")]
    (tmp_path / "event.avsc").write_text("{")
    with pytest.raises(NonRetryableError, match="is no JSON"):
        reader_of({"avro": {"schema": "event.avsc"}}, Schema(), tmp_path)
    with pytest.raises(NonRetryableError, match="cannot be read"):
        reader_of({"avro": {"schema": "none.avsc"}}, Schema(), tmp_path)
    with pytest.raises(ValueError, match="nothing says which schema"):
        message_format("avro")


TYPES: dict[str, st.SearchStrategy[Any]] = {
    "boolean": st.booleans(), "int8": st.integers(-128, 127), "uint32": st.integers(0, 2**32 - 1), "int64": longs,
    "uint64": st.integers(0, 2**64 - 1), "float32": st.floats(width=32, allow_nan=False), "float64": st.floats(allow_nan=False),
    "decimal(20, 4)": st.decimals(-(10**9), 10**9, places=4), "string": texts, "date": st.dates(), "time": st.times(),
    "timestamp": st.datetimes(), "timestamptz": st.datetimes(timezones=st.just(UTC)), "binary": st.binary(max_size=5),
    "list<int32>": st.lists(ints, max_size=3), "struct<a: int32, b: string>": st.fixed_dictionaries({"a": ints, "b": texts}),
}  # fmt: skip
SCHEMA = Schema.of(**{f"c{i}": parse_type(kind) for i, kind in enumerate(TYPES)})


@settings(max_examples=40)
@given(st.lists(st.tuples(*(st.none() | values for values in TYPES.values())), max_size=3))
def test_what_is_written_is_read(rows: list[tuple[Any, ...]]) -> None:
    from headrace.infrastructure.formats.messages.avro_writing import AvroWriter, schema_of
    from headrace.infrastructure.formats.messages.typed_columns import arrow_schema

    own, arrow = parsed(schema_of(SCHEMA, "row"), "it"), arrow_schema(SCHEMA)
    given = pa.RecordBatch.from_pylist([dict(zip(SCHEMA.names, row, strict=True)) for row in rows], schema=arrow)
    decoded = AvroRecords(own, None, arrow)(AvroWriter(own).write(given))
    assert not decoded.unreadable
    assert decoded.rows == given
