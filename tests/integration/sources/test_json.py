"""JSON, in lines and in arrays: every object a row of texts, everything else rejected with its text."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.integration.sources.reading import Read, read, written

from headrace.infrastructure.duckdb_connection import connect
from headrace.infrastructure.formats.json import Json

#: One for all examples: to open one costs more than to read a few lines.
CONNECTION = connect(threads=2)


def read_json(data: bytes, folder: Path, **options: Any) -> Read:
    return read(Json(**options).scan(written(folder, data, suffix=".jsonl")))


def test_scalars_are_text_nested_values_json_and_null_is_null(tmp_path: Path) -> None:
    found = read_json(b'{"a": 1, "b": "x", "c": null}\n{"a": true, "b": {"n": [1, 2]}, "d": 2.5}\n', tmp_path)
    assert found.rows == [("1", "x", None, None, 0), ("true", '{"n":[1,2]}', None, "2.5", 0)]


def pretty(value: Any) -> bytes:
    return json.dumps(value, indent=2).encode()


def test_one_object_over_many_lines_is_one_row(tmp_path: Path) -> None:
    found = read_json(b"\n " + pretty({"a": 1, "b": {"n": [1, None]}, "c": None}) + b"\n", tmp_path)
    assert [(row[0], json.loads(row[1]), row[2]) for row in found.rows] == [("1", {"n": [1, None]}, None)]
    assert found.rejected == []


def test_each_file_has_its_own_layout(tmp_path: Path) -> None:
    contents = [b'{"a": 1}\n{"a": 2}\n', pretty({"a": 3}), pretty([{"a": 4}, {"a": 5}]), pretty({"b": 6}), b"\n"]
    found = read(Json().scan(written(tmp_path, *contents, suffix=".json")))
    assert found.rows == [("1", None, 0), ("2", None, 0), ("3", None, 1), ("4", None, 2), ("5", None, 2), (None, "6", 3)]
    assert found.records == [(0, 1), (0, 2), (1, 1), (2, 1), (2, 2), (3, 1)]


def test_an_object_over_many_lines_that_is_no_row_is_rejected_as_a_whole(tmp_path: Path) -> None:
    found = read(Json().scan(written(tmp_path, b'{"a": 0}', b'{\n"a": 1,\n"a": 2\n}', suffix=".json")))
    assert found.rows == [("0", 0)]
    assert [(file, record, text, reason) for file, record, text, reason, _ in found.rejected] == [
        (1, 1, '{\n"a": 1,\n"a": 2\n}', "duplicate_key")
    ]


def test_a_line_that_is_broken_makes_no_object_of_the_lines(tmp_path: Path) -> None:
    found = read_json(b'{"a": 1\n{"a": 2}\n{"a": 3}\n', tmp_path)
    assert found.rows == [("2", 0), ("3", 0)]
    assert found.reasons() == ["not_json"]


def test_an_object_that_is_too_long_is_rejected(tmp_path: Path) -> None:
    long = pretty({"a": "x" * (9 << 20), "b": 1})
    found = read(Json(layout="object").scan(written(tmp_path, pretty({"a": 1}), long, suffix=".json")))
    assert found.rows == [("1", 0)]
    assert found.reasons() == ["too_long"]


def test_lines_that_are_no_objects_are_rejected_with_their_text(tmp_path: Path) -> None:
    found = read_json(b'{"a": 1}\n[1]\n\n{"a": tru}\n"x"\n{"a": 2}\n', tmp_path)
    assert found.in_order() == [
        ("row", ("1",)),
        ("rejected", "[1]"),
        ("rejected", '{"a": tru}'),
        ("rejected", '"x"'),
        ("row", ("2",)),
    ]
    assert found.reasons() == ["not_an_object", "not_json", "not_an_object"]


@pytest.mark.parametrize(
    "number",
    ["123456789.123456789012", "0.10000000000000000555111512312578", "12345678901234567890123", "1e400", "NaN", "-Infinity"],
)
def test_no_digit_of_a_number_is_lost(number: str, tmp_path: Path) -> None:
    assert read_json(b'{"a": %b}\n' % number.encode(), tmp_path).rows == [(number, 0)]


def test_a_key_that_stands_twice_is_rejected(tmp_path: Path) -> None:
    found = read_json(b'{"a": 1, "a": 2}\n{"a": 3}\n', tmp_path)
    assert found.rows == [("3", 0)]
    assert found.reasons() == ["duplicate_key"]


def test_keys_that_differ_in_case_alone_are_two_columns(tmp_path: Path) -> None:
    scan = Json().scan(written(tmp_path, b'{"a": 1, "A": 2}\n'))
    assert scan.schema.names == ("a", "A_2")
    assert read(scan).rows == [("1", "2", 0)]


@pytest.mark.parametrize("key", ["", "a/b", "a~b", 'q"q', "0", "$.x", "é", "drop table x; --"])
def test_any_key_is_a_column(key: str, tmp_path: Path) -> None:
    assert read_json(json.dumps({key: "v", "other": "w"}).encode(), tmp_path).rows == [("v", "w", 0)]


def test_bytes_that_are_no_text_and_halves_of_surrogates_are_rejected(tmp_path: Path) -> None:
    found = read_json(b'{"a": "\xff"}\n{"a": "\\ud800"}\n{"a": "ok"}\n', tmp_path)
    assert found.rows == [("ok", 0)]
    assert found.reasons() == ["encoding", "not_json"]


@pytest.mark.parametrize("layout", ["lines", "array"])
def test_nesting_without_end_is_text_like_any_other(layout: str, tmp_path: Path) -> None:
    deep = b"[" * 100_000 + b"]" * 100_000
    record = b'{"a": %b}' % deep
    found = read_json(record if layout == "lines" else b"[" + record + b"]", tmp_path)
    assert [len(row[0]) for row in found.rows] == [200_000]


def test_the_items_of_an_array_are_judged_one_by_one(tmp_path: Path) -> None:
    found = read_json(b'[{"a": 1.10}, 5,\n {"a": tru}, {"a": "],}"}, {"a": 1, "a": 2}]\n', tmp_path)
    assert found.in_order() == [
        ("row", ("1.10",)), ("rejected", "5"), ("rejected", '{"a": tru}'), ("row", ("],}",)), ("rejected", '{"a": 1, "a": 2}'),
    ]  # fmt: skip


def test_what_follows_a_broken_array_is_rejected_not_lost(tmp_path: Path) -> None:
    found = read_json(b'[{"a": 1}}, {"a": 2}]', tmp_path)
    assert found.in_order() == [("row", ("1",)), ("rejected", ', {"a": 2}]')]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "latin-1"])
def test_encodings(encoding: str, tmp_path: Path) -> None:
    options = {"encoding": encoding} if encoding == "latin-1" else {}
    assert read_json('{"a": "é"}\n'.encode(encoding), tmp_path, **options).rows == [("é", 0)]


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**25), 10**25)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=3), inner, max_size=3)
    ),
    max_leaves=5,
)


def as_text(value: Any) -> Any:
    return value if value is None or isinstance(value, str) else json.loads(json.dumps(value))


def meaning(text: str | None, original: Any) -> Any:
    return text if text is None or isinstance(original, str) else json.loads(text)


@settings(max_examples=60, deadline=None)
@given(
    objects=st.lists(st.fixed_dictionaries({"a": values}, optional={"b": values, "c": values}), min_size=1, max_size=8),
    layout=st.sampled_from(["lines", "array"]),
    careful=st.booleans(),
    ascii_only=st.booleans(),
)
def test_what_the_json_module_writes_is_read_as_it_was(
    objects: list[dict[str, Any]], layout: str, careful: bool, ascii_only: bool
) -> None:
    texts = [json.dumps(o, ensure_ascii=ascii_only) for o in objects]
    data = "\n".join(texts) if layout == "lines" else "[" + ",\n".join(texts) + "]"
    with tempfile.TemporaryDirectory() as folder:
        scan = Json(layout=layout).scan(written(Path(folder), data.encode()))
        scan = replace(scan, plain=frozenset()) if careful else scan
        found = read(scan, CONNECTION)
    assert found.rejected == []
    for row, original in zip(found.rows, objects, strict=True):
        for name, text in zip(scan.schema.names, row, strict=False):
            assert meaning(text, original.get(name)) == original.get(name)


dirty_line = st.lists(
    st.sampled_from([b'{"a":', b"1", b'"x"', b"}", b"{", b"[", b"]", b",", b"\xff", b"\0", b"\r", b" ", b'"', b"\\", b"null"]),
    max_size=8,
).map(b"".join)


@settings(max_examples=100, deadline=None)
@given(lines=st.lists(dirty_line | st.just(b'{"a":"good"}'), max_size=10), trusting=st.booleans())
def test_every_line_is_a_row_or_rejected(lines: list[bytes], trusting: bool) -> None:
    data = b"\n".join([b'{"a":"first"}', *lines])
    with tempfile.TemporaryDirectory() as folder:
        scan = Json(layout="lines").scan(written(Path(folder), data))
        found = read(replace(scan, plain=frozenset(f.path for f in scan.files)) if trusting else scan, CONNECTION)
    filled = [line for line in lines if line.strip(b" \t\r")]
    assert len(found.rows) + len(found.rejected) == 1 + len(filled)
    assert len(found.in_order()) == 1 + len(filled)
