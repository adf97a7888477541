"""How wide results are: wide enough for every value, never wider than can be held."""

from __future__ import annotations

from decimal import Decimal as Exact
from decimal import localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.business.model.types import DataType, Decimal, Float, Integer
from headrace.business.processing.expressions.coercion import common_type
from headrace.business.processing.expressions.faults import BindError
from headrace.business.processing.expressions.number_types import decimal_of, product_type, rounded_type, sum_type

decimals = st.integers(1, 38).flatmap(lambda p: st.integers(0, p).map(lambda s: Decimal(p, s)))
integers = st.builds(Integer, st.sampled_from([8, 16, 32, 64, 128]), st.booleans())
numbers: st.SearchStrategy[DataType] = st.one_of(decimals, integers, st.builds(Float, st.sampled_from([32, 64])))


def largest(kind: DataType) -> Exact:
    assert isinstance(kind, Decimal)
    return (Exact(10) ** kind.precision - 1).scaleb(-kind.scale)


def holds(kind: DataType, value: Exact) -> bool:
    assert isinstance(kind, Decimal)
    return abs(value) <= largest(kind) and value == value.quantize(Exact(1).scaleb(-kind.scale))


@given(decimals, decimals)
def test_sums_and_products_of_the_largest_values_fit_unless_the_type_is_the_widest(left: Decimal, right: Decimal) -> None:
    with localcontext() as context:
        context.prec = 100
        total = sum_type(left, right)
        assert isinstance(total, Decimal)
        assert total.precision == 38 or holds(total, largest(left) + largest(right))
        try:
            product = product_type(left, right)
        except BindError:
            assert left.scale + right.scale > 38
        else:
            assert isinstance(product, Decimal)
            assert product.scale == left.scale + right.scale
            assert product.precision == 38 or holds(product, largest(left) * largest(right))


@given(decimals, st.integers(-3, 40))
def test_a_rounded_value_fits(kind: Decimal, digits: int) -> None:
    rounded = rounded_type(kind, digits)
    with localcontext() as context:
        context.prec = 100
        assert isinstance(rounded, Decimal)
        if rounded.precision < 38:
            places = min(digits, kind.scale)
            assert holds(rounded, largest(kind).quantize(Exact(1).scaleb(-places)).quantize(Exact(1).scaleb(-rounded.scale)))


@given(numbers, numbers)
def test_the_common_type_does_not_depend_on_the_side(left: DataType, right: DataType) -> None:
    assert common_type(left, right) == common_type(right, left)


@given(numbers)
def test_a_type_is_common_with_itself(kind: DataType) -> None:
    assert common_type(kind, kind) == kind


@given(st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**20), max_value=10**20))
def test_a_written_number_has_just_its_digits(value: Exact) -> None:
    assert holds(decimal_of(value), value)


@pytest.mark.parametrize(
    ("left", "right", "total"),
    [
        (Integer(8), Integer(8), Integer(64)),
        (Integer(64), Integer(128), Integer(128)),
        (Integer(64, signed=False), Integer(8), Integer(128)),
        (Integer(32), Decimal(5, 2), Decimal(13, 2)),
        (Decimal(5, 2), Float(32), Float(64)),
        (Float(32), Float(32), Float(64)),
    ],
)
def test_sums_of_different_kinds(left: DataType, right: DataType, total: DataType) -> None:
    assert sum_type(left, right) == total
