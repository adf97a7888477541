"""A record of delimited text means the same in a stream as in a file: the same cells, and the same texts refused."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.integration.sources.reading import read, written
from tests.unit.infrastructure.formats.messages.messages import as_messages, reader_of

from headrace.infrastructure.duckdb_connection import connect
from headrace.infrastructure.formats.delimited import Delimited

CONNECTION = connect(threads=1)
NAMES = ("a", "b", "c")
READERS = {count: reader_of("csv", NAMES[:count]) for count in (1, 3)}

fields = st.sampled_from(
    ["", '""', "1", " 2 ", '"x"', '"x,y"', '"say ""hi"""', '"two\nlines"', ' "y" ', 'x"y', '"open', '"x"y', "ä", "NA", "null"]
)
records = st.lists(fields, min_size=1, max_size=5).map(",".join)
bodies = st.lists(records, max_size=4).flatmap(
    lambda lines: st.sampled_from(["\n", "\r\n", "\n\n"]).flatmap(
        lambda end: st.sampled_from(["", end]).map(lambda last: (end.join(lines) + last).encode())
    )
)
broken = st.tuples(bodies, st.integers(0, 20), st.sampled_from([b"\xff", b"\x00", b'"', b"\r", b"\n", b","])).map(
    lambda t: t[0][: t[1]] + t[2] + t[0][t[1] :]
)


def in_batch(texts: Sequence[bytes], count: int, folder: Path) -> list[list[tuple[str, object]]]:
    """Of each text, as a file of its own, the rows and the texts that were refused."""
    options = Delimited(delimiter=",", header=False, columns=NAMES[:count], encoding="utf-8")
    found = read(options.scan(written(folder, *texts)), CONNECTION)
    rows = [[("row", row[:-1]) for row in found.rows if row[-1] == number] for number in range(len(texts))]
    lost = [
        [("refused", _said(reason, text)) for file, _, _, reason, _ in found.rejected if file == number]
        for number, text in enumerate(texts)
    ]
    return [[*good, *bad] for good, bad in zip(rows, lost, strict=True)]


def in_stream(texts: Sequence[bytes], count: int) -> list[list[tuple[str, object]]]:
    decoded = READERS[count].read(as_messages(texts))
    assert decoded.origins is not None
    found: list[list[tuple[str, object]]] = [[] for _ in texts]
    for origin, row in zip(decoded.origins.to_pylist(), decoded.rows.to_pylist(), strict=True):
        found[origin].append(("row", tuple(row.values())))
    for bad in decoded.unreadable:
        found[bad.message].append(("refused", _said(bad.reason.removeprefix("csv."), texts[bad.message])))
    return found


def _said(reason: str, text: bytes) -> str:
    """Of what is wrong in two ways, either may be told."""
    return "anything" if b"\xff" in text else reason


@settings(max_examples=40)
@given(st.lists(bodies | broken, min_size=1, max_size=6), st.sampled_from([1, 3]))
@example([b'1,2,"a\nb"\n4,5,6', b'"open\n1,2,3\n', b"1,2,3,,\n", b"1,2\n", b'"",,\n'], 3)
@example([b"\n\n", b'""\n\n"x"', b""], 1)
def test_a_record_has_the_verdict_that_it_has_in_a_file(texts: list[bytes], count: int) -> None:
    first = b",".join([b"0"] * count) + b"\n"  # a file whose first record is none is refused as a whole
    texts = [first + text for text in texts]
    with tempfile.TemporaryDirectory() as folder:
        expected = in_batch(texts, count, Path(folder))
    assert in_stream(texts, count) == expected
    assert [verdicts for text in texts for verdicts in in_stream([text], count)] == expected, "neighbours change nothing"


def test_letters_hold_what_is_read_when_it_is_mended() -> None:
    decoded = reader_of({"csv": {"header": True}}, NAMES).read(
        as_messages([b"b,a\n1,2\n3\n", b"c\nx", b"a,a\n", b'"odd, name",a\n"1\n",2\n', b"nonsense"])
    )
    assert decoded.rows.to_pylist() == [
        {"a": "2", "b": "1", "c": None}, {"a": None, "b": None, "c": "x"}, {"a": "2", "b": None, "c": None},
    ]  # fmt: skip
    assert decoded.origins == pa.array([0, 1, 3], pa.int32())
    assert [(bad.message, bad.reason, bad.part) for bad in decoded.unreadable] == [
        (0, "csv.too_few_fields", b'"b","a"\n3'),
        (2, "csv.header", None),
        (4, "csv.header", None),
    ]
