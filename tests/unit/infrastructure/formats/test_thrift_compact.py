"""Thrift's compact protocol: what was written is read back, and no bytes make the reader crash."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.infrastructure.formats.thrift_compact import (
    BINARY,
    DOUBLE,
    I32,
    I64,
    LIST,
    MAP,
    STRUCT,
    TRUE,
    UUID,
    Malformed,
    Struct,
    Truncated,
    decode,
    encode,
)  # fmt: skip

NUMBERS = st.integers(-(2**62), 2**62)
SCALARS = st.one_of(
    st.tuples(st.just(I64), NUMBERS),
    st.tuples(st.just(I32), st.integers(-(2**31), 2**31 - 1)),
    st.tuples(st.just(BINARY), st.binary(max_size=300)),
    st.tuples(st.just(DOUBLE), st.floats(allow_nan=False)),
    st.tuples(st.just(UUID), st.binary(min_size=16, max_size=16)),
    st.tuples(st.just(TRUE), st.just(True)),
    st.tuples(st.just(LIST), st.tuples(st.just(I64), st.lists(NUMBERS, max_size=20))),
    st.tuples(
        st.just(MAP),
        st.tuples(st.just(I64), st.just(BINARY), st.lists(st.tuples(NUMBERS, st.binary()), min_size=1, max_size=3)),
    ),
)
STRUCTS = st.recursive(
    st.dictionaries(st.integers(1, 200), SCALARS, max_size=6),
    lambda inner: st.dictionaries(
        st.integers(1, 200),
        st.tuples(st.just(STRUCT), inner) | st.tuples(st.just(LIST), st.tuples(st.just(STRUCT), st.lists(inner, max_size=17))),
        max_size=4,
    ),
    max_leaves=20,
)


@settings(deadline=None)
@given(STRUCTS)
def test_what_was_written_is_read_back(fields: Struct) -> None:
    data = encode(fields)
    assert decode(b"xx" + data + b"tail", 2) == (fields, len(data) + 2)


@settings(deadline=None)
@given(STRUCTS)
def test_a_value_that_was_cut_off_is_truncated_and_not_another_value(fields: Struct) -> None:
    data = encode(fields)
    for length in range(len(data)):
        with pytest.raises(Truncated):
            decode(data[:length])


@settings(deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_are_a_struct_or_malformed(data: bytes) -> None:
    try:
        fields, end = decode(data)
    except Malformed:
        return
    assert encode(decode(encode(fields))[0]) == encode(fields)
    assert end <= len(data)


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(Malformed, match="deep"):
        decode(bytes([0x1C]) * 100_000)


def test_a_long_number_is_refused() -> None:
    with pytest.raises(Malformed, match="64 bits"):
        decode(bytes([0x16]) + b"\xff" * 100)
