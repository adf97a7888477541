"""Our types as DuckDB's, and back."""

from __future__ import annotations

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.business.model.types import (
    Binary,
    Boolean,
    DataType,
    Date,
    Decimal,
    Enum,
    Float,
    Integer,
    Interval,
    Json,
    List,
    String,
    Struct,
    Time,
    Timestamp,
)  # fmt: skip
from headrace.infrastructure.engines.duckdb.types import duckdb_type, from_duckdb

plain = st.one_of(
    st.builds(Integer, st.sampled_from([8, 16, 32, 64, 128]), st.booleans()),
    st.builds(Float, st.sampled_from([32, 64])),
    st.integers(1, 38).flatmap(lambda p: st.integers(0, p).map(lambda s: Decimal(p, s))),
    st.sampled_from([Boolean(), String(), Date(), Time(), Timestamp(), Timestamp(zone=True), Interval(), Binary(), Json()]),
)
names = st.sampled_from(["a", "Odd name", 'with "quotes"', "comma, bracket)", "it's", "struct", "é"])
kinds = st.recursive(
    plain,
    lambda inner: st.one_of(
        inner.map(List),
        st.lists(st.tuples(names, inner), min_size=1, max_size=3, unique_by=lambda field: field[0]).map(tuple).map(Struct),
    ),
    max_leaves=6,
)


@given(kinds)
def test_a_type_comes_back_as_it_was(kind: DataType) -> None:
    assert from_duckdb(duckdb_type(kind)) == kind


@settings(deadline=None, max_examples=20)  # each example opens a database
@given(st.lists(kinds, min_size=1, max_size=5))
def test_what_duckdb_calls_it_is_understood(wanted: list[DataType]) -> None:
    with duckdb.connect() as con:
        columns = ", ".join(f"CAST(NULL AS {duckdb_type(kind)}) AS c{i}" for i, kind in enumerate(wanted))
        described = con.execute(f"DESCRIBE SELECT {columns}").fetchall()
    assert [from_duckdb(row[1]) for row in described] == wanted


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("ENUM('a', 'it''s', 'x)')", Enum(("a", "it's", "x)"))),
        ("MAP(VARCHAR, INTEGER)", Json()),
        ("MAP(VARCHAR, STRUCT(a INTEGER, b VARCHAR)[])[]", List(Json())),
        ("INTEGER[3]", List(Integer(32))),
        ("TIMESTAMP_NS", Timestamp()),
        ("UUID", String()),
        ('"NULL"', from_duckdb("NULL")),
        ("decimal(5,2)", Decimal(5, 2)),
        ("UNION(num INTEGER, str VARCHAR)", Json()),
    ],
)
def test_types_that_are_kept_as_another(text: str, kind: DataType) -> None:
    assert from_duckdb(text) == kind


@pytest.mark.parametrize("text", ["", "FANCY", "INTEGER)", "STRUCT(a INTEGER", "INTEGER VARCHAR"])
def test_other_words_are_no_types(text: str) -> None:
    with pytest.raises(ValueError, match=r"type|closed"):
        from_duckdb(text)


def test_an_enum_is_text() -> None:
    assert duckdb_type(Enum(("b", "a"))) == "VARCHAR"
