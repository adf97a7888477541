"""What may be written, and what is said of everything else: message, place and hint."""

from __future__ import annotations

import contextlib
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.business.model.schema import Column, Schema
from headrace.business.model.types import Boolean, parse_type
from headrace.business.processing.expressions.ir import Call, Cast, ColumnRef, Constant, Window
from headrace.business.processing.expressions.parse import ExpressionError, parse_condition, parse_expression
from headrace.business.processing.expressions.patterns import pattern_problem

TYPES = {
    "distance": "int32", "air_time": "float64", "price": "decimal(15, 2)", "origin": "string", "dest": "string", "day": "date",
    "at": "timestamp", "instant": "timestamptz", "late": "boolean", "colour": "enum(red, green)", "tags": "list<string>",
    "place": "struct<city: string, point: struct<x: float64>>", "extra": "json", "Odd Name": "int32", "end": "string",
}  # fmt: skip
SCHEMA = Schema(tuple(Column(name, parse_type(kind)) for name, kind in TYPES.items()))


def refusal(text: str, **allowed: bool) -> ExpressionError:
    with pytest.raises(ExpressionError) as caught:
        parse_expression(text, SCHEMA, **allowed)
    return caught.value


@pytest.mark.parametrize(
    ("text", "at", "message", "hint"),
    [
        ("distnce > 5", "distnce", "no column `distnce`", "`distance`"),
        ("distance > 5 and orgin = dest", "orgin", "no column `orgin`", "`origin`"),
        ("lenght(origin) > 2", "lenght", "no function `lenght`", "`length`"),
        ("origin < 5", "5", "a string and an int32 cannot be compared", "without quotes"),
        ("distance = '5'", "'5'", "cannot be compared", "cast"),
        ("distance in (1, 2, 'x')", "'x'", "cannot be compared", "cast"),
        ("day >= '2013-02-30'", "'2013-02-30'", "is not a date", ""),
        ("day >= '30.02.2013'", "'30.02.2013'", "is not a date", "2013-01-31"),
        ("instant > '2013-01-01 00:00:00'", "'2013-01-01 00:00:00'", "is not a timestamptz", "offset"),
        ("at = instant", "instant", "cannot be compared", "at time zone"),
        ("colour = 'gren'", "'gren'", "none of the words", "`green`"),
        ("extra = 'x'", "'x'", "cannot be compared", "->>"),
        ("place.town", "place", "no field `town`", "city"),
        ("origin + dest", "origin", "`+` needs numbers", "||"),
        ("day * 2", "2", "`*` cannot be used", "interval"),
        ("price // 2", "price", "whole numbers", "trunc"),
        ("distance and late", "distance", "must be true or false", "<> 0"),
        ("late or distance", "distance", "must be true or false", "<> 0"),
        ("case when distance then 1 end", "distance", "must be true or false", "<> 0"),
        ("case when late then 1 else 'x' end", "'x'", "results of one `case`", ""),
        ("left(origin)", "left", "does not take 1 argument", "left(text: string, count: int64)"),
        ("left(origin, 'x')", "'x'", "needed", "quotes"),
        ("sqrt(origin)", "origin", "needed", ""),
        ("date_trunc('mnth', day)", "'mnth'", "not a unit", "`month`"),
        ("strptime(origin, '%Y-%Q')", "'%Y-%Q'", "`%Q` means nothing", "%d"),
        ("at at time zone 'Berlin'", "'Berlin'", "not a time zone", "Europe/Berlin"),
        ("regexp_matches(origin, dest)", "dest", "must be written out", ""),
        ("regexp_matches(origin, '(a')", "'(a'", "regular expression", "RE2"),
        ("origin like 'a' escape 'ab'", "'ab'", "one character", ""),
        ("cast(origin as integr)", "origin", "not a type", "`integer`"),
        ("cast(instant as date)", "instant", "no cast", "at time zone"),
        ("cast(distance as boolean)", "distance", "no cast", "<> 0"),
        ("distance origin", "origin", "not expected", "operator"),
        ("distance > 5; drop table x", "x", "only one statement", ";"),
        ("(distance > 5", "5", "", ""),
        ("distance > 5)", ")", "not expected", ""),
        ("distance >", ">", "missing after `>`", ""),
        ("origin = 'abc", "'abc", "never closed", ""),
        ("sum(distance)", "sum", "many rows", "aggregate"),
        ("row_number() over (order by distance)", "row_number", "window functions", "step"),
        ("exists (select 1)", "1", "cannot contain a query", "references"),
        ("distance in (select 1)", "distance", "cannot contain a query", "references"),
        ("distance > :limit", "", "${params.name}", ""),
        ("distance > ?", "distance", "${params.name}", ""),
        ("f.distance", "f", "no dataset `f`", "`distance`"),
        ("current_date - day", "current_date", "no column `current_date`", "parameter"),
        ("now() > at", "now", "no function `now`", "parameter"),
        ("read_csv('/etc/passwd')", "read_csv", "no function", "source"),
        ("list_transform(tags, lambda t: t)", "list_transform", "no function", "unnest"),
        ("distance & 1", "distance", "bits", "python"),
        ("origin glob 'a*'", "origin", "`glob`", "like"),
        ("origin collate nocase = 'x'", "origin", "collations", "lower"),
        ("add(1, 2)", "add", "not called by name", "a + b"),
        ("*", "*", "stands for no value", ""),
        ("'a' 'b'", "'a'", "side by side", "||"),
        ("interval '3 blinks'", "", "`blinks` is not a unit of time", ""),
        ("1e999", "1e999", "too large", ""),
        ("pragma show_tables", "", "", ""),
        ("drop table x", "", "", ""),
        ("select distance", "distance", "a query cannot stand here", "step `sql`"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_at_its_place(text: str, at: str, message: str, hint: str) -> None:
    found = refusal(text)
    assert message in found.message
    assert hint in (found.hint or "")
    if at and text.count(at) == 1:
        assert found.offset == text.index(at)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "-- nothing",
        ";",
        "/* unfinished",
        "'",
        '"',
        "(",
        ")",
        "((",
        "and",
        "= 1",
        "1 =",
        "case",
        "x.",
        "[",
        "{",
        "\x00",
    ],
)
def test_broken_texts_are_refused_politely(text: str) -> None:
    found = refusal(text)
    assert found.message
    assert 0 <= found.offset <= len(text)


@settings(deadline=None)  # the first text loads the parser
@given(st.text(alphabet=st.sampled_from("ad1 .,()[]{}'\"<>=+-*/%|&~!?:;@#$\\^_\n\tnotriselcwhe\x00é𝄞"), max_size=30))
def test_no_text_at_all_breaks_the_reader(text: str) -> None:
    with contextlib.suppress(ExpressionError):
        assert parse_expression(text, SCHEMA).type


def test_a_condition_must_be_true_or_false() -> None:
    assert parse_condition("distance > 5", SCHEMA).type == Boolean()
    with pytest.raises(ExpressionError, match="must be true or false"):
        parse_condition("distance + 5", SCHEMA)


def test_names_are_found_whatever_their_case_and_comments_are_skipped() -> None:
    expression = parse_expression('DISTANCE /* miles */ + "odd name" -- the sum', SCHEMA)
    assert expression.columns() == {"distance", "Odd Name"}


def test_a_column_may_be_called_like_a_keyword() -> None:
    assert parse_expression("\"end\" = 'x'", SCHEMA).columns() == {"end"}
    assert parse_expression("day", Schema.of(day=parse_type("date"))).columns() == {"day"}


def test_structs_are_entered_by_dots() -> None:
    expression = parse_expression("place.point.x", SCHEMA)
    assert str(expression.type) == "float64"
    assert expression.columns() == {"place"}


def test_literals_take_the_type_of_the_other_side() -> None:
    expression = parse_expression("price > 5", SCHEMA)
    assert isinstance(expression, Call)
    assert str(expression.args[1].type) == "decimal(15, 2)"
    assert parse_expression("air_time > 5", SCHEMA) == Call(
        Boolean(), "greater", (ColumnRef(parse_type("float64"), "air_time"), Constant(parse_type("float64"), 5.0))
    )


def test_what_widens_is_written_as_a_cast() -> None:
    expression = parse_expression("distance + price", SCHEMA)
    assert isinstance(expression, Call)
    assert isinstance(expression.args[0], Cast)
    assert str(expression.type) == "decimal(16, 2)"


def test_a_window_may_stand_over_an_aggregate() -> None:
    expression = parse_expression("sum(distance) over (partition by origin order by at)", SCHEMA, windows=True)
    assert isinstance(expression, Window)
    assert expression.order_by[0].nulls_first is False
    with pytest.raises(ExpressionError, match="inside of `sum`"):
        parse_expression("sum(count(*))", SCHEMA, aggregates=True)


def test_long_chains_are_read_and_deep_nesting_is_refused() -> None:
    chain = parse_condition(" or ".join(["distance = 1"] * 2000), SCHEMA)
    assert isinstance(chain, Call)
    assert len(chain.args) == 2000
    assert refusal("not " * 600 + "late").message == "this is nested too deeply"
    assert refusal("(" * 600 + "1" + ")" * 600).message == "this is nested too deeply"
    assert refusal("1" + " + 1" * 600).message == "this is nested too deeply"


@pytest.mark.parametrize(
    "pattern", ["^N[0-9A-Z]+$", "(?i)abc", r"\pL+", r"[[:alpha:]_]+", r"a{2,5}", "[[a-z]", "a+b|c", r"\d{1000}"]
)
def test_patterns_of_re2_can_be_used(pattern: str) -> None:
    assert pattern_problem(pattern) is None


@pytest.mark.parametrize(
    "pattern", ["(a", "(?=a)", "(?<!a)b", r"(a)\1", "(?>a)", "a++", "[a", "a{1001}", "*a", r"a\Z", "(?P=x)"]
)
def test_other_patterns_cannot(pattern: str) -> None:
    assert pattern_problem(pattern) is not None


def test_nothing_heavy_is_loaded_before_a_text_is_read() -> None:
    code = (
        "import sys, headrace.business.processing.expressions.parse, headrace.business.processing.expressions.reference\n"
        "assert not {'sqlglot', 'duckdb', 'pyarrow'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
