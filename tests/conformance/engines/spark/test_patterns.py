"""Regular expressions that nobody would write find on Spark what they find on DuckDB, as far as Spark does not refuse them."""

from __future__ import annotations

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st
from tests.conformance.engines.adapters import DuckDB
from tests.conformance.engines.spark.adapter import Spark
from tests.conformance.engines.spark.comparing import differences, few
from tests.conformance.engines.test_patterns import CALLS, PATTERNS, TEXTS

from headrace.business.model.schema import Schema
from headrace.business.model.types import String
from headrace.business.processing.expressions.ir import Expr
from headrace.business.processing.expressions.parse import ExpressionError, parse_expression

#: What the strategies do not write.
WRITTEN = [
    "(?m)^a$", "(?m)^", r"\pL+", r"\PN", r"[\pL1]", r"\Qa.b\E", "(?P<x>a)b", "[[:^digit:]_]+", "[a&&b]", "[a[b]", r"[^\S_]", r"\x{e9}", "x{0}", "(a|ab)(c|bcd)(d*)",
    "(?s)a.b", "(?i)É", "(?i)[k-s]+", r"\Aa\z", "a{,2}", "-", "[+--]", "^(a+)+$", "(?i:k)k", "a||b",
]  # fmt: skip


def compare(spark: Spark, duckdb: DuckDB, patterns: list[str], texts: list[str]) -> int:
    schema = Schema.of(a=String())
    able: dict[str, Expr] = {}
    for pattern in patterns:
        quoted = "'" + pattern.replace("'", "''") + "'"
        for call in CALLS:
            try:
                expression = parse_expression(call.format(quoted), schema)
            except ExpressionError:
                continue
            if not spark.problems(expression):
                able[call.format(quoted)] = expression
    if able:
        same = defaultdict(lambda: lambda one, other: False)
        assert differences(spark, duckdb, able, schema, [{"a": text} for text in texts], same) == []
    return len(able)


def test_what_is_written_is_found(spark: Spark, duckdb: DuckDB) -> None:
    texts = [
        "",
        "a",
        "ab",
        "a\nb",
        "\na",
        "a\n",
        "K",
        "k",
        "\u212a",
        "é",
        "É",
        "1",
        "_",
        "a.b",
        "abcd",
        "aab",
        "-",
        "+",
        "a&b",
        "[",
        " ",
        "\x0b",
    ]
    assert compare(spark, duckdb, WRITTEN, texts) > 50


@given(patterns=st.lists(PATTERNS, min_size=14, max_size=14), texts=TEXTS)
@few(5)
def test_the_same_is_found(spark: Spark, duckdb: DuckDB, patterns: list[str], texts: list[str]) -> None:
    compare(spark, duckdb, patterns, texts)
