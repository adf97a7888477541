"""How names and types of ours are those of Snowflake, and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.business.model.types import parse_type
from headrace.infrastructure.snowflake.names import escaped, name_problems, path, spoken, stored
from headrace.infrastructure.snowflake.types import snowflake_type, takes, type_here


@given(st.from_regex(r"[a-z_][a-z0-9_$]{0,20}", fullmatch=True))
def test_a_plain_name_in_small_letters_comes_back(name: str) -> None:
    assert stored(name) == name.upper()
    assert spoken(stored(name)) == name


@given(st.text(min_size=1))
def test_any_other_name_is_itself_and_never_becomes_another_twice(name: str) -> None:
    assert stored(stored(name)) == stored(name)
    assert stored(spoken(stored(name))) == stored(name)


def test_a_table_is_written_with_all_its_parts() -> None:
    assert path("mart.Orders 2024") == '"MART"."Orders 2024"'
    assert path('db.s."') == '"DB"."S".""""'


def test_what_cannot_be_a_name_is_told() -> None:
    assert list(name_problems(["fine", "x" * 255])) == []
    assert len(list(name_problems(["x" * 256, "a\\b"]))) == 2


def test_a_backslash_in_a_text_stays_one() -> None:
    assert escaped("SELECT '\\u00e9'") == "SELECT '\\\\u00e9'"


@pytest.mark.parametrize(
    ("kind", "there"),
    [
        ("int8", "NUMBER(3,0)"), ("int64", "NUMBER(19,0)"), ("uint64", "NUMBER(20,0)"), ("int128", "NUMBER(38,0)"),
        ("decimal(12, 3)", "NUMBER(12,3)"), ("float32", "FLOAT"), ("enum(a, b)", "VARCHAR"), ("timestamptz", "TIMESTAMP_LTZ(6)"),
        ("list<int32>", "ARRAY"), ("struct<a: int32>", "VARIANT"),
    ],
)  # fmt: skip
def test_a_column_takes_what_it_was_made_for(kind: str, there: str) -> None:
    assert snowflake_type(parse_type(kind)) == there
    assert takes(there, parse_type(kind))


@pytest.mark.parametrize(
    ("there", "kind", "fits"),
    [
        ("NUMBER(38,0)", "int64", True), ("NUMBER(9,0)", "int32", False), ("NUMBER(12,2)", "decimal(12, 3)", False),
        ("NUMBER(14,4)", "decimal(12, 2)", True), ("NUMBER(14,4)", "decimal(12, 1)", False), ("NUMBER(10,0)", "string", False),
        ("VARCHAR(16777216)", "string", True), ("VARCHAR(10)", "int32", False), ("TIMESTAMP_NTZ(9)", "timestamptz", False),
        ("TIMESTAMP_TZ(9)", "timestamptz", True), ("FLOAT", "decimal(4, 1)", False), ("VARIANT", "json", True),
    ],
)  # fmt: skip
def test_a_column_that_is_there_takes_every_value_or_none(there: str, kind: str, fits: bool) -> None:
    assert takes(there, parse_type(kind)) == fits


def test_a_text_column_of_a_length_is_judged_by_snowflake() -> None:
    """As in other databases: a text that is too long ends the statement, and nothing is cut."""
    assert takes("VARCHAR(3)", parse_type("string"))


def test_types_of_results() -> None:
    read = {
        args: str(type_here(*args)[0])
        for args in (("FIXED", 4, 0), ("FIXED", 38, 0), ("FIXED", 10, 2), ("VARIANT", None, None))
    }
    assert list(read.values()) == ["int16", "decimal(38, 0)", "decimal(10, 2)", "json"]
    with pytest.raises(ValueError, match="VECTOR"):
        type_here("VECTOR", None, None)
