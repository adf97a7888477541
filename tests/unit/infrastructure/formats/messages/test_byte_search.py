"""What is looked for in all bytes at once is found wherever it stands."""

from __future__ import annotations

import re

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from headrace.infrastructure.formats.messages.byte_search import LONG, bytes_of, count_of, may_have_long_numbers

pieces = st.text(alphabet="0123456789./x:\u00e9", max_size=30)


@given(st.lists(pieces, max_size=6), st.integers(0, 3))
def test_the_bytes_of_a_column_are_those_of_its_texts(texts, first):
    column = pa.array(texts, pa.string()).slice(first)
    assert bytes_of(column).tobytes() == "".join(texts[first:]).encode()
    assert count_of(":", bytes_of(column)) == "".join(texts[first:]).count(":")


@given(st.lists(pieces, max_size=6), st.integers(LONG - 2, LONG + 1), st.integers(0, 6))
def test_no_long_number_is_passed_over(texts, digits, at):
    texts.insert(min(at, len(texts)), "x" + ("7" * (digits - 3) + ".25")[:digits] + "x")
    content = bytes_of(pa.array(texts, pa.string()))
    if re.search(rb"[0-9.]{%d}" % LONG, content.tobytes()):
        assert may_have_long_numbers(content)


def test_dates_and_times_are_no_long_numbers():
    texts = [f"{'x' * shift}2026-01-31T23:59:59.123456+00:00, 12345678.1234" for shift in range(8)]
    assert not may_have_long_numbers(bytes_of(pa.array(texts, pa.string())))
