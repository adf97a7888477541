"""An offset into a value leads to the character in the file that wrote it."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from headrace.errors import Location
from headrace.infrastructure.loading.reading import read_document
from headrace.infrastructure.loading.scalars import resolve

WORDS = st.text("abcXYZ019 '\"()<>=+-*/.,é€😀\\", min_size=1, max_size=30)


def places_of(text: str, value: str) -> list[Location]:
    document = read_document(text, "f")
    assert document.data == {"k": {"v": value}}
    return [document.places.of(("k", "v"), offset=n) for n in range(len(value))]


def char_at(text: str, place: Location) -> str:
    return re.split(r"\r\n|\n", text)[place.line - 1][place.column - 1]


@given(WORDS)
def test_single_quotes(value):
    text = "# é\nk:\n  v: '" + value.replace("'", "''") + "'  # end\n"
    assert [char_at(text, place) for place in places_of(text, value)] == list(value)


@given(WORDS)
def test_plain_between_braces(value):
    value = re.sub(r"[^a-zA-Z0-9é€() ]", "x", value).strip()
    assume(value and isinstance(resolve(value), str))
    text = "k: {v: " + value + " }\n"
    assert [char_at(text, place) for place in places_of(text, value)] == list(value)


@given(st.text(st.characters(codec="utf-8", exclude_categories=("Co", "Cs")), min_size=1, max_size=20))
def test_double_quotes_with_escapes(value):
    written = json.dumps(value, ensure_ascii=True)
    assume("\\ud" not in written)  # JSON writes them as pairs, which YAML has not
    text = f"k:\n  v: {written}\n"
    pieces = re.findall(r"\\u[0-9a-f]{4}|\\.|.", written[1:-1])
    starts = [sum(map(len, pieces[:n])) for n in range(len(pieces))]
    assert [place.column - 7 for place in places_of(text, value)] == starts


@given(st.lists(st.text("abc 12()<>", min_size=1, max_size=8).filter(lambda t: t.strip() == t), min_size=1, max_size=5))
def test_literal_blocks(lines):
    value = "\n".join(lines) + "\n"
    text = "k:\n  v: |\n" + "".join(f"    {line}\n" for line in lines) + "other: 1\n"
    document = read_document(text, "f")
    found = [document.places.of(("k", "v"), offset=n) for n in range(len(value))]
    assert [char_at(text + " ", place) for place, char in zip(found, value, strict=True) if char != "\n"] == [
        c for c in value if c != "\n"
    ]


def test_lines_that_are_folded_into_one():
    text = "k:\n  v: distance /\n    (air_time\n\n    / 60)\n"
    value = "distance / (air_time\n/ 60)"
    places = places_of(text, value)
    for word in ("distance", "(air_time", "/ 60"):
        place = places[value.index(word)]
        assert text.splitlines()[place.line - 1][place.column - 1 :].startswith(word)


@pytest.mark.parametrize("text", ["k:\n  v: >\n    select a\n    from b\n", "k:\n  v: >-\n    select a\n    from b\n"])
def test_folded_blocks(text):
    places = read_document(text, "f").places
    assert places.of(("k", "v"), offset=len("select ")) == Location("f", 3, 12)
    assert places.of(("k", "v"), offset=len("select a ")) == Location("f", 4, 5)


def test_an_offset_behind_the_end_stays_at_the_end():
    assert read_document("a: bc\n", "f").places.of(("a",), offset=99) == Location("f", 1, 6)
