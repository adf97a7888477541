"""Streams of bytes out of files of any encoding."""

from __future__ import annotations

import pytest

from headrace.infrastructure.formats.opening import as_utf8, found_encoding, shown


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "latin-1", "cp1252", "shift_jis", "gb18030"]
)
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_text_is_the_same_in_any_encoding_and_any_blocks(encoding: str, size: int) -> None:
    text = "a,ä\n" if encoding in ("latin-1", "cp1252") else "a,\u3042\n" * 3
    data = text.encode(encoding)
    assert b"".join(as_utf8((data[i : i + size] for i in range(0, len(data), size)), encoding)).decode() == text


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_names_the_encoding(encoding: str) -> None:
    assert found_encoding("a,b".encode(encoding)[:4]) == encoding.removesuffix("-sig")


def test_bytes_that_are_no_text_can_be_shown_again() -> None:
    assert shown(b"a\xff\x00b") == "a\\xff\\x00b"
    assert shown(b"".join(as_utf8([b"a\x81b"], "cp1252"))) == "a\\x81b"
    assert shown("ä\n".encode()) == "ä\n"
    assert shown(b"a\xed\xa0\x80") == "a\\ud800"
