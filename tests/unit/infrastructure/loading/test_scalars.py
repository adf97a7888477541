"""What unquoted YAML scalars mean."""

from __future__ import annotations

import math

import pytest

from headrace.infrastructure.loading.scalars import resolve


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None), ("~", None), ("null", None), ("NULL", None), ("nil", "nil"), ("None", "None"),
        ("true", True), ("False", False), ("NO", "NO"), ("no", "no"), ("yes", "yes"), ("on", "on"), ("off", "off"), ("y", "y"),
        ("0", 0), ("-5", -5), ("+5", 5), ("300_000", 300_000), ("1__0", "1__0"), ("_1", "_1"), ("1_", "1_"),
        ("0o10", 8), ("0x1F", 31), ("010", "010"), ("01234", "01234"), ("00", "00"), ("0b11", "0b11"),
        ("1.5", 1.5), (".5", 0.5), ("5.", 5.0), ("1e5", 1e5), ("-1.5E-3", -0.0015), ("9E", "9E"), ("1.2.3", "1.2.3"), ("1_000.5", 1000.5),
        (".inf", math.inf), ("-.INF", -math.inf), ("inf", "inf"), ("nan", "nan"),
        ("12:30", "12:30"), ("190:20:30", "190:20:30"), ("2013-01-01", "2013-01-01"), ("2013-01-01 12:00:00", "2013-01-01 12:00:00"),
        ("=", "="), ("٣", "٣"), ("\uff11", "\uff11"), ("-", "-"), ("+", "+"), (".", "."),
    ],
)  # fmt: skip
def test_yaml_1_2_core(text, value):
    found = resolve(text)
    assert found == value
    assert type(found) is type(value)


def test_not_a_number():
    assert math.isnan(resolve(".nan"))


def test_a_number_too_long_to_read_is_text():
    assert resolve("9" * 100_000) == "9" * 100_000
