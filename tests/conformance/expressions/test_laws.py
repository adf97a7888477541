"""Laws that hold for all values, tried on DuckDB with values that nobody would think of."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal as Exact
from decimal import localcontext
from itertools import product
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headrace.business.model.schema import Schema
from headrace.business.model.types import (
    Binary,
    Boolean,
    DataType,
    Date,
    Decimal,
    Float,
    Integer,
    List,
    String,
    Struct,
    Time,
    Timestamp,
    parse_type,
)  # fmt: skip
from headrace.business.processing.expressions.ir import Cast, ColumnRef, Constant, Expr
from headrace.business.processing.expressions.parse import parse_expression
from headrace.infrastructure.engines.duckdb.expressions import ExpressionPrinter
from headrace.infrastructure.engines.duckdb.literals import identifier, literal

PRINTER = ExpressionPrinter()
many = settings(
    deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        yield con


def values(con: duckdb.DuckDBPyConnection, expression: Expr, column: Sequence[Any], kind: DataType) -> list[Any]:
    """The expression over a column `x` of these values, in their order."""
    rows = ", ".join(f"({i}, {literal(value, kind)})" for i, value in enumerate(column))
    return [
        row[0] for row in con.execute(f"SELECT {PRINTER.sql(expression)} FROM (VALUES {rows}) AS t(i, x) ORDER BY i").fetchall()
    ]


# Casts ----------------------------------------------------------------------------------------------------------------

SPACES = " \t\n\v\f\r"
_INTEGER = re.compile(r"[+-]?[0-9]+", re.ASCII)
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)", re.ASCII)
_FLOAT = re.compile(rf"(?:{_DECIMAL.pattern})(?:[eE][+-]?[0-9]+)?|[+-]?(?:nan|inf(?:inity)?)", re.ASCII | re.I)
_CLOCK = r"(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{1,6}0*)?)?"
_DATE = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_OFFSET = "(?:Z|[+-](?:0[0-9]|1[0-5])(?::?[0-5][0-9])?)"


def read(text: str, kind: DataType) -> Any:
    """What the page on semantics says of a text, once more and in another language."""
    text = text.strip(SPACES)
    try:
        match kind:
            case Integer():
                return int(text) if _INTEGER.fullmatch(text) and kind.lowest <= int(text) <= kind.highest else None
            case Decimal():
                return _exact(text, kind) if _DECIMAL.fullmatch(text) else None
            case Float():
                number = float(text) if _FLOAT.fullmatch(text) else None
                return None if number is not None and math.isinf(number) and "inf" not in text.lower() else number
            case Date():
                return date.fromisoformat(text) if re.fullmatch(_DATE, text) else None
            case Time():
                return time.fromisoformat(_six(text)) if re.fullmatch(_CLOCK, text) else None
            case Timestamp():
                return _moment(text, zone=kind.zone)
    except (ValueError, OverflowError):
        return None


def _six(text: str) -> str:
    """At most six digits of a fraction: the others are zeros."""
    return re.sub(r"(\.[0-9]{6})0+", r"\1", text)


def _exact(text: str, kind: Decimal) -> Exact | None:
    with localcontext() as context:
        context.prec = 200
        number = Exact(text)
        fits = number.scaleb(kind.scale) % 1 == 0 and abs(number) < Exact(10) ** (kind.precision - kind.scale)
    return number if fits else None


def _moment(text: str, *, zone: bool) -> datetime | None:
    if not re.fullmatch(f"{_DATE}[T ]{_CLOCK}{_OFFSET if zone else ''}", text):
        return None
    found = datetime.fromisoformat(_six(text))
    return found.astimezone(UTC).replace(tzinfo=None) if zone else found


near_numbers = st.text(alphabet=st.sampled_from("0123456789.+-eE_xbn aif\t,٣"), max_size=9)
near_moments = st.from_regex(
    rf"\A[ ]?[0-2]?[0-9]{{3}}[-/ ][01]?[0-9]-?[0-3]?[0-9][T ]{{0,2}}({_CLOCK})?[ :.0-9]{{0,8}}({_OFFSET})?[ Z]?\Z"
)
iso = st.from_regex(rf"\A[0-9]{{4}}-[01][0-9]-[0-3][0-9][T ]{_CLOCK}({_OFFSET})?\Z")
ordinary = st.one_of(
    st.integers(-(2**70), 2**70).map(str), st.floats().map(repr), st.decimals(allow_nan=False, allow_infinity=False, places=3).map(str),
    st.dates().map(str), st.datetimes().map(str), st.times().map(str), st.datetimes().map(lambda at: at.isoformat() + "Z"),
    st.text(max_size=5).filter(lambda text: "\x00" not in text), st.sampled_from(["", " ", "epoch", "infinity", "nan", "true"]),
)  # fmt: skip
KINDS = ["int8", "int32", "uint16", "int64", "int128", "decimal(5, 2)", "decimal(38, 10)", "decimal(2, 2)", "float64", "date", "time", "timestamp", "timestamptz"]  # fmt: skip


@many
@given(texts=st.lists(st.one_of(near_numbers, near_moments, iso, ordinary), min_size=20, max_size=60))
@pytest.mark.parametrize("written", KINDS)
def test_texts_are_read_as_the_page_says(con: duckdb.DuckDBPyConnection, written: str, texts: list[str]) -> None:
    kind = parse_type(written)
    expression: Expr = Cast(kind, ColumnRef(String(), "x"), lenient=True)
    if kind == Timestamp(zone=True):
        expression = parse_expression("try_cast(x as timestamptz) at time zone 'UTC'", Schema.of(x=String()))
    for text, got in zip(texts, values(con, expression, texts, String()), strict=True):
        expected = read(text, kind)
        assert repr(got) == repr(expected) or got == expected, (text, got, expected)


columns: dict[str, st.SearchStrategy[Any]] = {
    "boolean": st.booleans(),
    "int8": st.integers(-128, 127),
    "int64": st.integers(-(2**63), 2**63 - 1),
    "uint64": st.integers(0, 2**64 - 1),
    "int128": st.integers(-(2**127), 2**127 - 1),
    "float64": st.floats(),
    "float32": st.floats(width=32),
    "decimal(38, 10)": st.decimals(-(10**27), 10**27, places=10),
    "decimal(3, 3)": st.decimals(Exact("-0.999"), Exact("0.999"), places=3),
    "string": st.text(max_size=20),
    "date": st.dates(),
    "time": st.times(),
    "timestamp": st.datetimes(),
    "binary": st.binary(max_size=10),
}


@many
@given(data=st.data())
@pytest.mark.parametrize("written", columns)
def test_a_value_as_text_reads_back_as_itself(con: duckdb.DuckDBPyConnection, written: str, data: st.DataObject) -> None:
    kind = parse_type(written)
    column = data.draw(st.lists(columns[written], min_size=1, max_size=30))
    x = ColumnRef(kind, "x")
    there_and_back = Cast(kind, Cast(String(), x), lenient=True)
    got = values(con, there_and_back, column, kind)
    same = values(con, x, column, kind)
    assert [repr(v) for v in got] == [repr(v) for v in same]


@many
@given(data=st.data())
@pytest.mark.parametrize("written", columns)
def test_a_literal_is_the_value_that_was_meant(con: duckdb.DuckDBPyConnection, written: str, data: st.DataObject) -> None:
    kind = parse_type(written)
    value = data.draw(columns[written])
    (got,) = con.execute(f"SELECT {PRINTER.sql(Constant(kind, value))}").fetchone() or (None,)
    if kind == Binary():
        assert bytes(got) == value
    elif isinstance(kind, Float) and math.isnan(value):
        assert math.isnan(got)
    else:
        assert got == value


@many
@given(
    texts=st.lists(
        st.none() | st.text(" \u00a0\u1680\u2003\u202f\u205f\u3000\t\x00!aé\u0301\U0001f600", max_size=6),
        min_size=1,
        max_size=40,
    )
)
def test_trim_takes_the_spaces_of_unicode_and_nothing_else(con: duckdb.DuckDBPyConnection, texts: list[str | None]) -> None:
    spaces = " \u00a0\u1680\u2003\u202f\u205f\u3000"
    expression = parse_expression("trim(x)", Schema.of(x=String()))
    assert values(con, expression, texts, String()) == [text if text is None else text.strip(spaces) for text in texts]


@given(st.text(min_size=1, max_size=30).filter(lambda name: "\x00" not in name))
@many
def test_a_quoted_name_is_that_name(con: duckdb.DuckDBPyConnection, name: str) -> None:
    assert [column[0] for column in con.execute(f"SELECT 1 AS {identifier(name)}").description or ()] == [name]


def test_nested_literals_and_long_spans(con: duckdb.DuckDBPyConnection) -> None:
    kind = Struct((("a", List(Integer(32))), ("b c", String())))
    value, span = {"a": [1, None], "b c": "it's"}, timedelta(days=-3, microseconds=5)
    assert con.execute(f"SELECT {literal(value, kind)}").fetchone() == (value,)
    assert con.execute(f"SELECT {literal(span, parse_type('interval'))}").fetchone() == (span,)
    instant = datetime(2013, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))
    assert con.execute(f"SELECT CAST({literal(instant, Timestamp(zone=True))} AS VARCHAR)").fetchone() == (
        "2013-01-01 00:00:00+00",
    )


# Logic and order ------------------------------------------------------------------------------------------------------

THREE = (True, False, None)
LAWS = [
    "(a and b) is not distinct from (b and a)",
    "(a or b) is not distinct from (b or a)",
    "(not (a and b)) is not distinct from (not a or not b)",
    "(a and (b or c)) is not distinct from ((a and b) or (a and c))",
    "(a and b and c) is not distinct from (a and (b and c))",
    "(not not a) is not distinct from a",
    "(a is distinct from b) = (not (a is not distinct from b))",
    "(a = b) is not distinct from (b = a)",
    "(a in (b, c)) is not distinct from (a = b or a = c)",
    "(a between b and c) is not distinct from (a >= b and a <= c)",
    "coalesce(a, b, c) is not distinct from case when a is not null then a when b is not null then b else c end",
    "if(a, b, c) is not distinct from case when a then b else c end",
    "(a is true) = (coalesce(a, false))",
]


@pytest.mark.parametrize("law", LAWS)
def test_logic_has_three_values(con: duckdb.DuckDBPyConnection, law: str) -> None:
    expression = parse_expression(law, Schema.of(a=Boolean(), b=Boolean(), c=Boolean()))
    rows = ", ".join("(" + ", ".join(literal(v, Boolean()) for v in row) + ")" for row in product(THREE, repeat=3))
    assert con.execute(f"SELECT DISTINCT {PRINTER.sql(expression)} FROM (VALUES {rows}) AS t(a, b, c)").fetchall() == [(True,)]


ORDERS = [
    "((x < y)::int32 + (x = y)::int32 + (x > y)::int32) = 1",
    "(x <= y) = (not x > y)",
    "(x < y) = (y > x)",
    "(x = y) = (not x <> y)",
    "greatest(x, y) = if(x >= y, x, y)",
    "least(x, y) = if(x <= y, x, y)",
]


@many
@given(data=st.data())
@pytest.mark.parametrize("written", [written for written in columns if written != "binary"])
def test_order_is_total(con: duckdb.DuckDBPyConnection, written: str, data: st.DataObject) -> None:
    kind = parse_type(written)
    pairs = data.draw(st.lists(st.tuples(columns[written], columns[written]), min_size=1, max_size=15))
    rows = ", ".join(f"({literal(x, kind)}, {literal(y, kind)})" for x, y in [*pairs, (pairs[0][0], pairs[0][0])])
    laws = " and ".join(f"({law})" for law in ORDERS)
    expression = parse_expression(laws, Schema.of(x=kind, y=kind))
    assert con.execute(f"SELECT DISTINCT {PRINTER.sql(expression)} FROM (VALUES {rows}) AS t(x, y)").fetchall() == [(True,)]


@many
@given(
    st.lists(
        st.tuples(st.decimals(-(10**12), 10**12, places=2), st.decimals(-(10**12), 10**12, places=2)), min_size=1, max_size=20
    )
)
def test_decimals_are_exact(con: duckdb.DuckDBPyConnection, pairs: list[tuple[Exact, Exact]]) -> None:
    kind = Decimal(15, 2)
    schema = Schema.of(x=kind, y=kind)
    rows = ", ".join(f"({i}, {literal(x, kind)}, {literal(y, kind)})" for i, (x, y) in enumerate(pairs))
    sql = ", ".join(PRINTER.sql(parse_expression(text, schema)) for text in ("x * y", "x + y", "x - y", "x * (1 - y)"))
    got = con.execute(f"SELECT {sql} FROM (VALUES {rows}) AS t(i, x, y) ORDER BY i").fetchall()
    assert got == [(x * y, x + y, x - y, x * (1 - y)) for x, y in pairs]


@many
@given(st.lists(st.tuples(st.integers(-(2**31), 2**31), st.integers(-(2**31), 2**31)), min_size=1, max_size=20))
def test_integer_division_goes_towards_zero_and_leaves_the_remainder(
    con: duckdb.DuckDBPyConnection, pairs: list[tuple[int, int]]
) -> None:
    kind = Integer(64)
    expression = parse_expression(
        "coalesce((x // y) * y + x % y = x and abs(x % y) < abs(y), y = 0)", Schema.of(x=kind, y=kind)
    )
    rows = ", ".join(f"({literal(x, kind)}, {literal(y, kind)})" for x, y in pairs)
    assert con.execute(f"SELECT DISTINCT {PRINTER.sql(expression)} FROM (VALUES {rows}) AS t(x, y)").fetchall() == [(True,)]
