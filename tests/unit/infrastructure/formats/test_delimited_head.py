"""What a look at the start of a file shows."""

from __future__ import annotations

import pytest

from headrace.infrastructure.formats.delimited_head import Dialect, guessed_delimiter, start_of, unique_names

PLAIN = Dialect(None, '"', '"', header=True, skip=0, comment=None)


@pytest.mark.parametrize(
    ("sample", "delimiter"),
    [
        (b"a,b\n1,2\n", ","),
        (b"a;b\n1,5;2,5\n3,5;4,5\n", ";"),
        (b"a\tb,c\n1\t2\n", "\t"),
        (b"a|b\n1|2\n", "|"),
        (b'"a;b",c\n"1;2",3\n', ","),
        (b"one\n1\n2\n", ","),
        (b"note, with a comma;b\n1;2\n3;4\n", ";"),
        (b"", ","),
    ],
)
def test_the_delimiter_is_the_one_that_splits_evenly(sample: bytes, delimiter: str) -> None:
    assert guessed_delimiter(sample, PLAIN) == delimiter


def test_names_are_made_unique_without_regard_to_case() -> None:
    names, notes = unique_names(["a", "A", "", "a_2", "a", ""])
    assert len({name.lower() for name in names}) == 6
    assert names[0] == "a"
    assert names[3] == "a_2"
    assert len(notes) == 4


def test_our_own_name_is_not_left_to_a_column() -> None:
    assert unique_names(["_file", "_FILE"])[0] == ("_file_2", "_FILE_3")


@pytest.mark.parametrize("size", [1, 2, 7, 100])
def test_a_header_may_come_in_any_number_of_blocks(size: int) -> None:
    data = b'\n\n"a\nb",c\r\n1,2\r\n'
    start = start_of("x", (data[i : i + size] for i in range(0, len(data), size)), PLAIN)
    assert start is not None
    assert (start.names, start.lines, start.simple, start.newline) == (("a\nb", "c"), 3, False, b"\r\n")
    assert start.rest == b"1,2\r\n"
