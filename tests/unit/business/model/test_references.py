"""References in texts, and values on their way into SQL."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from headrace.business.model.references import (
    Interpolated,
    Sql,
    Unquotable,
    literal,
    plain,
    references,
    replace,
    replace_in_sql,
)

#: One connection for all examples: opening one for each takes a hundred times as long as the question.
DATABASE = duckdb.connect()


def asked(query):
    return DATABASE.execute(query).fetchall()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("no reference $ {x} {}", []),
        ("${params.day}", [("params", "day")]),
        ("a ${params.a} b ${env.HOME}", [("params", "a"), ("env", "HOME")]),
        ("${secret:env/PW}", [("secret", "env/PW")]),
        ("${secret:file/a/b.txt}", [("secret", "file/a/b.txt")]),
        ("$${params.a}", [("escape", "")]),
        ("${day}", [("unknown", "day")]),
        ("${params.}", [("unknown", "params.")]),
        ("${secret:pw}", [("unknown", "secret:pw")]),
        ("${params.a", [("unclosed", "params.a")]),
    ],
)
def test_what_refers_to_what(text, found):
    assert [(r.space, r.name) for r in references(text)] == found


def test_replacing_tells_which_stretch_came_from_where():
    text, (span,) = replace("a ${params.day} b", lambda _: "XY")
    assert text == "a XY b"
    assert text[span.start : span.end] == "XY"
    assert "a ${params.day} b"[span.written_start : span.written_end] == "${params.day}"


def test_an_escaped_reference_stays():
    assert replace("$${params.a} ${params.b}", lambda r: r.name)[0] == "${params.a} b"


def in_sql(text: str, value: object) -> str:
    return replace_in_sql(text, lambda _: value)[0]


def test_a_value_becomes_a_literal_of_its_type():
    assert in_sql("day = ${params.x}", date(2013, 1, 2)) == "day = DATE '2013-01-02'"
    assert in_sql("at < ${params.x}", datetime(2013, 1, 2, 3, tzinfo=UTC)) == "at < TIMESTAMPTZ '2013-01-02 03:00:00+00:00'"
    assert in_sql("n = ${params.x}", -5) == "n = (-5)"
    assert in_sql("n = ${params.x}", True) == "n = true"
    assert in_sql("n = ${params.x}", None) == "n = NULL"
    assert in_sql("n = ${params.x}", "O'Hare") == "n = 'O''Hare'"


def test_inside_quotes_it_is_text():
    assert in_sql("p = 'in/${params.x}/y'", "o'k") == "p = 'in/o''k/y'"
    assert in_sql("p = 'it''s ${params.x}'", 5) == "p = 'it''s 5'"
    assert in_sql('"c_${params.x}" > 1', 'a"b') == '"c_a""b" > 1'
    assert in_sql("a = '-- no comment' and b = ${params.x}", "z") == "a = '-- no comment' and b = 'z'"


@pytest.mark.parametrize(
    "text", ["1 -- ${params.x}", "1 /* ${params.x} */", "E'a${params.x}'", "$$a ${params.x}$$", "$q$ ${params.x} $q$"]
)
def test_where_no_value_can_stand_it_is_refused(text):
    with pytest.raises(Unquotable):
        in_sql(text, "x")


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=30))
def test_no_text_breaks_out_of_its_literal(text):
    query = in_sql("select ${params.x} as a, 'x${params.x}' as b, 1 as \"c${params.x}\"", text)
    assert asked(query) == [(text, "x" + text, 1)]


@given(
    st.one_of(
        st.integers(-(2**63), 2**63 - 1),
        st.booleans(),
        st.dates(),
        st.floats(allow_nan=False),
        st.decimals(-1000, 1000, places=3),
    )
)
def test_a_literal_is_the_value(value):
    ((found,),) = asked(f"select {literal(value)}")
    assert found == value


def test_sql_options_take_the_literal_and_bare_constants():
    option = TypeAdapter(Sql)
    assert option.validate_python(Interpolated("x", "'x'")) == "'x'"
    assert option.validate_python(5) == "5"
    assert option.validate_python(True) == "true"
    assert option.validate_python("a + 1") == "a + 1"
    assert TypeAdapter(str).validate_python(Interpolated("x", "'x'")) == "x"


def test_values_as_text():
    assert [plain(v) for v in (None, True, 5, date(2013, 1, 2), datetime(2013, 1, 2, 3, 4), Decimal("1.50"))] == [  # noqa: DTZ001
        "", "true", "5", "2013-01-02", "2013-01-02 03:04:00", "1.50",
    ]  # fmt: skip
