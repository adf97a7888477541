"""What is a record of delimited text, and what is wrong with what is none."""

from __future__ import annotations

import pytest

from headrace.infrastructure.formats.delimited_grammar import Grammar

COMMA = Grammar(",", '"', '"', 2)


@pytest.mark.parametrize(
    "record",
    [
        b"a,b\n",
        b"a,b\r\n",
        b"a,b\r",
        b",\n",
        b'"a","b"\n',
        b'"a\nb","c,d"\r\n',
        b'"a""b",c\n',
        b'a"b,c\n',
        b'a, "b" \n',
        b'a,"b"  \n',
        b"a,b,,\n",
        b" a , b \n",
    ],
)
def test_good_records(record: bytes) -> None:
    assert COMMA.record.fullmatch(record)
    assert COMMA.run.match(record * 3).end() == 3 * len(record)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("text", "reason", "end"),
    [
        (b"a\nb,c\n", "too_few_fields", 2),
        (b"a,b,c\nd,e\n", "too_many_fields", 6),
        (b'a,b,""\nd,e\n', "too_many_fields", 7),
        (b'"a\nb"\nc,d\n', "too_few_fields", 6),
        (b'a,"b"c\nd,e\n', "broken_quote", 7),
        (b'a,"b" "c"\nd,e\n', "broken_quote", 10),
        (b'a,"b\nc,d\n', "open_quote", 5),
        (b'a,"b\nc,"d"\n', "broken_quote", 5),
        (b"a,b\x00\nc,d\n", "nul_byte", 5),
        (b'a,"b\x00"\nc,d\n', "nul_byte", 7),
    ],
)
def test_a_fault_ends_with_its_record_or_its_first_line(text: bytes, reason: str, end: int) -> None:
    assert not COMMA.record.match(text)
    fault = COMMA.fault(text, 0, final=True)
    assert fault is not None
    assert (fault.reason, fault.end) == (reason, end)


@pytest.mark.parametrize("text", [b"a", b"a,b", b'a,"b', b'a,"b"', b'a,"b" ', b'a,"b\nc', b'"a""'])
def test_what_more_bytes_may_mend_is_no_fault_yet(text: bytes) -> None:
    assert COMMA.fault(text, 0, final=False) is None


def test_other_signs() -> None:
    grammar = Grammar("||", "'", "\\", 2)
    assert grammar.record.fullmatch(b"a|b||'c\\'||d'\n")
    assert grammar.fields(b"a|b||'c\\'||d'\nrest", 0) == ([b"a|b", b"c'||d"], 14)


def test_without_quotes_a_quote_is_a_character() -> None:
    assert Grammar("\t", "", "", 2).record.fullmatch(b'"a\t"b\n')


def test_comments_are_no_records() -> None:
    grammar = Grammar(",", '"', '"', 2, comment="#")
    assert not grammar.record.match(b"#a,b\n")
    assert grammar.record.match(b"a,#b\n")


def test_many_columns_and_long_runs_take_linear_time() -> None:
    grammar = Grammar(",", '"', '"', 5_000)
    record = b",".join([b"x"] * 5_000) + b"\n"
    assert grammar.run.match(record * 20).end() == len(record) * 20  # type: ignore[union-attr]
    quotes = b'"' + b'""' * 200_000
    assert COMMA.fault(quotes + b"\n", 0, final=True).reason == "open_quote"  # type: ignore[union-attr]
