"""JSON in messages: each by itself, whatever its neighbours are."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pytest
from tests.unit.infrastructure.formats.messages.messages import as_messages, reader_of, told

from headrace.business.model.schema import Schema
from headrace.errors import NonRetryableError
from headrace.infrastructure.formats.messages.json_columns import JsonColumns

GOOD = b'{"id": 1, "name": "x"}'


def test_a_poison_message_takes_none_of_its_neighbours_with_it() -> None:
    bodies = [GOOD, b"nonsense", GOOD, b"\xff", b'{"id": 1, "id": 2}', b"[1]", None, b"", b'{"id": 2', GOOD]
    decoded = reader_of("json", ["id", "name"]).read(as_messages(bodies))
    assert decoded.rows.to_pylist() == [{"id": "1", "name": "x"}] * 3
    assert decoded.origins is not None
    assert decoded.origins.to_pylist() == [0, 2, 9]
    assert told(decoded) == [
        (1, "json.invalid"), (3, "utf8.invalid"), (4, "json.duplicate_key"), (5, "json.not_an_object"), (6, "message.without_body"),
        (7, "json.invalid"), (8, "json.invalid"),
    ]  # fmt: skip
    assert all(bad.detail and bad.part is None for bad in decoded.unreadable)


def test_a_bad_line_of_a_block_is_a_letter_of_its_own() -> None:
    blocks = [GOOD + b"\n" + GOOD, b"\n  \n" + GOOD + b"\r\nnonsense\n" + GOOD + b"\n\xff\n", b"", GOOD]
    decoded = reader_of("ndjson", ["id", "name"]).read(as_messages(blocks))
    assert decoded.rows.num_rows == 5
    assert decoded.origins is not None
    assert decoded.origins.to_pylist() == [0, 0, 1, 1, 3]
    assert [(bad.message, bad.reason, bad.part) for bad in decoded.unreadable] == [
        (1, "json.invalid", b"nonsense"),
        (1, "utf8.invalid", b"\xff"),
    ]
    assert decoded.unreadable[0].detail.startswith("line 4: ")


def test_messages_that_are_one_row_each_need_no_origins() -> None:
    assert reader_of("json", ["id"]).read(as_messages([GOOD, GOOD])).origins is None


def test_no_messages_are_no_rows() -> None:
    for format_ in ("json", "ndjson"):
        assert reader_of(format_, ["id"]).read(as_messages([])).rows.num_rows == 0


def test_a_message_without_a_body_is_a_row_of_nulls_where_that_is_asked_for() -> None:
    bodies = [GOOD, None, b"nonsense", None, GOOD]
    decoded = reader_of({"json": {"tombstones": "row"}}, ["id"]).read(as_messages(bodies))
    assert decoded.rows.to_pylist() == [{"id": "1"}, {"id": None}, {"id": None}, {"id": "1"}]
    assert decoded.origins is not None
    assert decoded.origins.to_pylist() == [0, 1, 3, 4]
    assert told(decoded) == [(2, "json.invalid")]


def test_numbers_keep_their_digits_where_a_double_would_lose_them() -> None:
    long = b'{"id": 12345678901234567890.12345, "name": 1.50}'
    decoded = reader_of("json", ["id", "name"]).read(as_messages([GOOD, long]))
    assert decoded.rows.to_pylist()[1] == {"id": "12345678901234567890.12345", "name": "1.50"}


def test_an_object_may_stand_on_many_lines() -> None:
    decoded = reader_of("json", ["id"]).read(as_messages([b'\n{\n "id": 1\n}\n']))
    assert decoded.rows.to_pylist() == [{"id": "1"}]


def test_keys_are_columns_when_the_contract_or_the_options_name_them() -> None:
    decoded = reader_of({"json": {"columns": ["name", "id"]}}, ["id"]).read(as_messages([GOOD]))
    assert decoded.rows.to_pylist() == [{"id": "1", "name": "x"}]
    with pytest.raises(NonRetryableError, match="nothing says which columns"):
        reader_of("json", Schema())


@pytest.mark.parametrize("name", ["json", "ndjson", "csv", "bytes", "arrow", "parquet"])
def test_bodies_may_be_large_binary_and_a_slice(name: str) -> None:
    given = as_messages([b"x", GOOD, None, GOOD, b"y"])
    large = replace(given, payloads=given.payloads.cast(pa.large_binary()).slice(1, 3), positions=given.positions.slice(1, 3))
    plain = replace(given, payloads=pa.array([GOOD, None, GOOD], pa.binary()), positions=given.positions.slice(1, 3))
    declared = Schema() if name == "bytes" else ["id", "name"]
    found, expected = (reader_of(name, declared).read(messages) for messages in (large, plain))
    assert found.rows == expected.rows
    assert told(found) == told(expected)


@pytest.mark.parametrize(
    "line",
    [
        b'{"a": "1", "a": "2", "b": "3"}',
        b'{"a": "1:", "b": "2", "b": "x:y"}',
        b'{"a": "1\\u003a", "b": "2", "b": "3"}',
        b'{"a": 1, "b": {"c": "d:e"}, "b": 2}',
        b'{"a" : null, "b": 2, "b": 3}',
        b'{"a": "::::", "a": ":"}',
        b'{"a": 1, "b": "c", "d": "e", "d": "f"}',
    ],
)
def test_a_key_that_stands_twice_is_found_whatever_stands_around_it(line: bytes) -> None:
    columns = JsonColumns(["a", "b"])
    for begun in ([], [b'{"a": "2024-01-01T00:00:00", "b": "x"}'] * 3):
        texts = pa.array([*begun, line, b'{"a": 1, "b": {"c": [":", 2]}}']).cast(pa.string())
        taken = columns.take(texts)
        assert [(fault.number, fault.reason) for fault in taken.faults] == [(len(begun), "json.duplicate_key")]
        assert columns.take(texts.slice(0, len(begun))).faults == ()


def test_texts_whose_colons_are_in_values_keys_and_escapes_are_read_as_they_are() -> None:
    columns = JsonColumns(["a", "b:c"])
    for text, cells in (
        (b'{"a": "x:y", "b:c": ":"}', ("x:y", ":")),
        (b'{"a": "\\u003a", "b:c": 1}', (":", "1")),
        (b'{"a": {"k": ":"}, "z": 1}', ('{"k":":"}', None)),
        (b' {"a": null}', (None, None)),
    ):
        taken = columns.take(pa.array([text, text]).cast(pa.string()))
        assert [tuple(column.to_pylist()) for column in taken.columns] == [(cell, cell) for cell in cells]
