"""A line of JSON means the same in a stream as in a file: the same cells as text, and the same lines refused."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.integration.sources.reading import read, written
from tests.unit.infrastructure.formats.messages.messages import as_messages, reader_of

from headrace.infrastructure.duckdb_connection import connect
from headrace.infrastructure.formats.json import JsonLines

CONNECTION = connect(threads=1)
KEYS = ("a", "b", "c~/ d")
READERS = (reader_of("json", KEYS), reader_of("ndjson", KEYS))

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(10**17, 10**40)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["", "\u0000", "\\", '"', "\ud83d\ude00", ": null", '":null', "12", "0.1", "NaN"])
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
)
numbers = st.from_regex(r"-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,25})?([eE][+-]?[0-9]{1,3})?", fullmatch=True)


@st.composite
def objects(draw: st.DrawFn) -> bytes:
    """Objects whose keys may stand there twice, whose numbers may have any length, with white space anywhere. No keys that differ in
    case alone: on account of these, a file keeps `1.50` where it has `1.5` otherwise."""
    members = []
    for _ in range(draw(st.integers(0, 5))):
        key = draw(st.sampled_from(KEYS) | st.sampled_from(["other", "z", ""]))
        value = draw(numbers | values.map(lambda v: json.dumps(v, ensure_ascii=draw(st.booleans()))))
        space = draw(st.sampled_from(["", "", " ", "\t "]))
        members.append(f"{space}{json.dumps(key)}{space}:{space}{value}{space}")
    return ("{" + ",".join(members) + "}").encode("utf-8", "surrogatepass")


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Objects of which something is missing, or stands there that should not."""
    text = draw(objects())
    at = draw(st.integers(0, len(text)))
    return text[:at] + draw(st.binary(max_size=2)) + text[at + draw(st.integers(0, 3)) :]


def ordinary(line: bytes) -> bool:
    """Files may have other line ends, and begin with a byte order mark; a message has neither."""
    return (
        b"\n" not in line and b"\r" not in line and line[:2] not in (b"\xff\xfe", b"\xfe\xff") and line[:3] != b"\xef\xbb\xbf"
    )


lines = (
    objects() | objects() | damaged() | st.sampled_from([b"", b" ", b"[]", b"1", b"null", b"{}", b"{ }", b'[{"a": 1}]'])
).filter(ordinary)

Verdicts = list[Mapping[str, str | None] | None]


def in_batch(texts: Sequence[bytes], folder: Path) -> Verdicts:
    """Of each line in a file of its own its cells, or None when it is refused; blank ones are left out."""
    scan = JsonLines(encoding="utf-8").scan(written(folder, b'{"a": 0}\n', *(text + b"\n" for text in texts), suffix=".jsonl"))
    names = {name: key for key, name in zip(scan.keys, scan.schema.names, strict=True)}
    found = read(scan, CONNECTION)
    cells: dict[int, Mapping[str, str | None] | None] = {}
    for row in found.rows:
        by_key = {names[name]: value for name, value in zip(scan.schema.names, row[:-1], strict=True)}
        cells[row[-1]] = {key: by_key.get(key) for key in KEYS}
    cells |= {file: None for file, *_ in found.rejected}
    return [cells[file] for file in sorted(cells) if file]


def in_stream(texts: Sequence[bytes], cuts: Sequence[int], reader: Any) -> Verdicts:
    """The same of lines that come in blocks, which end where `cuts` say."""
    ends = sorted({min(cut, len(texts)) for cut in cuts} | {len(texts)})
    blocks = [texts[start:end] for start, end in zip([0, *ends], ends, strict=False)]
    decoded = reader.read(as_messages([b"\n".join(block) for block in blocks]))
    assert len(decoded.origins) == decoded.rows.num_rows
    rows = iter(zip(decoded.origins.to_pylist(), decoded.rows.to_pylist(), strict=True))
    refused = iter([(bad.message, bad.part) for bad in decoded.unreadable])
    verdicts: Verdicts = []
    row, bad = next(rows, None), next(refused, None)
    for number, block in enumerate(blocks):
        for text in block:
            if bad == (number, text):
                verdicts.append(None)
                bad = next(refused, None)
            elif text.strip(b" \t"):
                assert row is not None
                assert row[0] == number
                verdicts.append(row[1])
                row = next(rows, None)
    assert row is None
    assert bad is None
    return verdicts


@settings(max_examples=25)
@given(st.lists(lines, max_size=6), st.lists(st.integers(0, 6), max_size=4))
@example([b'{"a": 1.50, "b": 1e400}', b'{"a": 0.1234567890123456789}', b'{"a": 1, "a": 2}', b'{"a": NaN,}'], [1])
@example([b'{"a" :1, "b":2}', b'{"a":1,"b":2,"b":3}'], [])
@example([b'{"a":1,"b":null}', b'{"a":1,"a":null}', b'{"a":null,"other":1,"other":2}'], [])
def test_a_line_has_the_verdict_that_it_has_in_a_file(texts: list[bytes], cuts: list[int]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        expected = in_batch(texts, Path(folder))
    fresh, used = reader_of("ndjson", KEYS), reader_of("ndjson", KEYS)
    used.read(as_messages([b'{"a": 1, "zero": 2}', b'{"b": 1.2345678901234567890}', b"nothing"]))
    assert in_stream(texts, cuts, fresh) == expected
    assert in_stream(texts, cuts, used) == expected, "what a reader has learned changes no verdict"


@settings(max_examples=30)
@given(st.lists(lines.filter(lambda line: line.strip(b" \t")), max_size=6))
def test_an_object_in_a_message_is_an_object_in_a_line(texts: list[bytes]) -> None:
    single, block = (reader.read(as_messages(texts)) for reader in READERS)
    assert single.rows == block.rows
    assert [(bad.message, bad.reason) for bad in single.unreadable] == [(bad.message, bad.reason) for bad in block.unreadable]
