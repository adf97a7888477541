"""Which schemas fit a target: nothing may be lost on the way."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.business.model.schema import Schema
from headrace.business.model.types import DataType, Decimal, Enum, Float, Integer, List, Null, String, Struct, Timestamp
from headrace.errors import NonRetryableError
from headrace.infrastructure.connectors.evolution import added_columns, fits

INTEGERS = st.builds(Integer, st.sampled_from([8, 16, 32, 64, 128]), st.booleans())


@settings(deadline=None)
@given(INTEGERS, INTEGERS, st.data())
def test_a_whole_number_fits_exactly_where_both_its_ends_do(kind: Integer, into: Integer, data: st.DataObject) -> None:
    held = all(into.lowest <= end <= into.highest for end in (kind.lowest, kind.highest))
    assert fits(kind, into) == held
    if held:
        assert into.lowest <= data.draw(st.integers(kind.lowest, kind.highest)) <= into.highest


@pytest.mark.parametrize(
    ("kind", "into", "expected"),
    [
        (Integer(32), Float(64), True),
        (Integer(64), Float(64), False),
        (Integer(16), Float(32), True),
        (Integer(32), Decimal(10, 0), True),
        (Integer(32), Decimal(10, 1), False),
        (Decimal(10, 2), Decimal(12, 2), True),
        (Decimal(10, 2), Decimal(12, 4), True),
        (Decimal(10, 2), Decimal(11, 4), False),
        (Decimal(10, 2), Float(64), False),
        (Float(32), Float(64), True),
        (Float(64), Float(32), False),
        (Enum(("a",)), String(), True),
        (String(), Enum(("a",)), False),
        (Null(), Integer(8), True),
        (Timestamp(), Timestamp(True), False),
        (List(Integer(8)), List(Integer(16)), True),
        (Struct((("a", Integer(8)),)), Struct((("a", Integer(16)),)), True),
        (Struct((("a", Integer(8)),)), Struct((("b", Integer(8)),)), False),
        (Struct((("a", Integer(8)),)), Struct((("a", Integer(8)), ("b", Integer(8)))), False),
    ],
)
def test_what_fits(kind: DataType, into: DataType, expected: bool) -> None:
    assert fits(kind, into) is expected


def test_all_clashes_are_told_at_once() -> None:
    existing = {"a": "INTEGER", "b": "VARCHAR", "c": "DATE"}
    with pytest.raises(
        NonRetryableError, match=r"`a` is INTEGER there and string here; `b` is VARCHAR there and int64 here"
    ) as caught:
        added_columns("out", existing, Schema.of(a=String(), b=Integer(), d=Integer()), lambda *_: False)
    assert caught.value.hint


def test_what_is_new_is_added() -> None:
    found = added_columns("out", {"a": 1, "b": 1}, Schema.of(b=String(), d=Integer()), lambda *_: True)
    assert [c.name for c in found] == ["d"]


def test_names_that_differ_in_case_alone_are_an_error() -> None:
    with pytest.raises(NonRetryableError, match="`B` is `b` there"):
        added_columns("out", {"a": 1, "b": 1}, Schema.of(B=String()), lambda *_: True)
