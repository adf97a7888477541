"""The law of reading: every record of a file ends up exactly once, as a row or as a rejected text, and is never changed."""

from __future__ import annotations

import csv
import io
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.integration.sources.delimited_oracle import expected
from tests.integration.sources.reading import read, written

from headrace.infrastructure.duckdb_connection import connect
from headrace.infrastructure.formats.delimited import Delimited
from headrace.infrastructure.formats.opening import shown

#: One for all examples: to open one costs more than to read a few lines.
CONNECTION = connect(threads=2)

PIECES = [
    b"a",
    b"1",
    b",",
    b",",
    b",",
    b'"',
    b'"',
    b'""',
    b"\n",
    b"\n",
    b"\r\n",
    b"\r",
    b" ",
    b"\xc3\xa9",
    b"\xff",
    b"\0",
    b"#",
    b";",
    b"x,y\n",
    b'"p",q\n',
    b"1,2,3\n",
]
dirt = st.lists(st.sampled_from(PIECES), max_size=40).map(b"".join)
mild = st.lists(st.sampled_from([b"a", b",", b",", b'"', b'"p"', b"\n", b"x,y\n", b'"p",q\n', b'1,"a\nb"\n']), max_size=40).map(
    b"".join
)


def check(data: bytes, columns: int, *, trusting: bool = False, newline: bytes = b"\n") -> None:
    header = b",".join(b"c%d" % i for i in range(columns)) + newline
    with tempfile.TemporaryDirectory() as folder:
        scan = Delimited(delimiter=",").scan(written(Path(folder), header + data))
        if trusting:
            scan = replace(scan, heads={path: replace(head, plain=True) for path, head in scan.heads.items()})
        found = read(scan, CONNECTION)
    wanted = [(kind, shown(value) if isinstance(value, bytes) else value) for kind, value in expected(data, columns)]
    assert found.in_order() == wanted


@settings(max_examples=100, deadline=None)
@given(data=dirt, columns=st.integers(1, 4))
def test_no_record_is_lost_doubled_or_changed(data: bytes, columns: int) -> None:
    check(data, columns)


@settings(max_examples=150, deadline=None)
@given(data=st.one_of(mild, dirt), columns=st.integers(1, 3), newline=st.sampled_from([b"\n", b"\r\n"]))
@example(data=b'"" ""', columns=1, newline=b"\n")
@example(data=b'"x"   "y"\n', columns=1, newline=b"\r\n")
@example(data=b'"a", " ","" ""\n', columns=3, newline=b"\n")
def test_a_file_that_looked_plain_and_is_not_is_found_out(data: bytes, columns: int, newline: bytes) -> None:
    """Only the start of a file is looked at; what comes later must not be read on trust."""
    check(data.replace(b"\n", newline), columns, trusting=True, newline=newline)


cell = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)


@settings(max_examples=100, deadline=None)
@given(
    rows=st.lists(st.lists(cell, min_size=2, max_size=2), min_size=1, max_size=20),
    delimiter=st.sampled_from(",;\t|"),
    quote=st.sampled_from("\"'"),
    line_end=st.sampled_from(["\n", "\r\n"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"]),
)
def test_what_the_csv_module_writes_is_read_as_it_was(
    rows: list[list[str]], delimiter: str, quote: str, line_end: str, encoding: str
) -> None:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, quotechar=quote, lineterminator=line_end, quoting=csv.QUOTE_ALL)
    writer.writerows([["a", "b"], *rows])
    source = Delimited(delimiter=delimiter, quote=quote, encoding=encoding)
    with tempfile.TemporaryDirectory() as folder:
        found = read(source.scan(written(Path(folder), out.getvalue().encode(encoding))), CONNECTION)
    assert found.rejected == []
    assert [list(row[:-1]) for row in found.rows] == rows


@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
def test_a_file_of_many_blocks_keeps_the_law(newline: bytes, tmp_path: Path) -> None:
    dirty = {100: b"1", 5_000: b"1,2,3", 77_777: b'1,"x"y', 100_001: b"\xff,2", 150_000: b'5,"open', 199_999: b"0,\0"}
    lines = [
        dirty.get(i, b'%d,"line\nbreak"' % i if i % 1000 == 7 else b"%d,some text that fills the line" % i)
        for i in range(200_000)
    ]
    data = newline.join(lines) + newline
    found = read(Delimited().scan(written(tmp_path, b"c0,c1" + newline + data)))
    assert len(found.rows) + len(found.rejected) == 200_000
    assert {number: shown(text) for number, text in dirty.items()} == {
        number - 1: text for _, number, text, _, _ in found.rejected
    }
    assert [row[0] for row in found.rows] == [str(i) for i in range(200_000) if i not in dirty]
