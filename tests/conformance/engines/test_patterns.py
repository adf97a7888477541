"""Regular expressions that nobody would write find the same on every engine, as far as no engine refuses them."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.conformance.engines.adapters import Adapter, evaluate

from headrace.business.model.schema import Schema
from headrace.business.model.types import String
from headrace.business.processing.expressions.parse import ExpressionError, parse_expression

LETTERS = "abkKsé1-_ \n]^.é"
ATOMS = st.sampled_from(
    [*"abcks1_ é-", ".", r"\.", r"\d", r"\w", r"\s", r"\W", r"\S", "[ab]", "[^a]", "[a-c]", "[^a-z1]", "[]a]", "[a-]", r"[\d_]", r"[\]^]", "[[:alpha:]]", "[[:^digit:]]", r"\n", r"\x61", r"\b", r"\B", "^", "$"]
)  # fmt: skip
QUANTIFIERS = st.sampled_from(["", "", "", "*", "+", "?", "{2}", "{1,2}", "{0,}", "*?", "+?", "??"])
PATTERNS = st.recursive(
    st.builds("{}{}".format, ATOMS, QUANTIFIERS),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map("".join),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: f"(?:{'|'.join(parts)})"),
        st.builds("({}){}".format, inner, QUANTIFIERS),
        st.builds("(?{}){}".format, st.sampled_from(["i", "s", "is", "i-s", "m", "sm"]), inner),
    ),
    max_leaves=6,
)
TEXTS = st.lists(st.text(st.sampled_from(LETTERS), max_size=7), min_size=12, max_size=12)
CALLS = ("regexp_matches(a, {})", "regexp_full_match(a, {})", "regexp_extract(a, {})", "regexp_replace(a, {}, '<\\0>')")


#: What is lazy takes as little as it can, up to the next character; `(?m)` finds the ends of lines.
LAZY = st.builds(
    "{}{}{}{}{}".format,
    st.sampled_from(["", "", "^", "a", "(?m)", "(?m)^", "(?s)", "[ab]+-"]),
    st.sampled_from(["a", ".", "[^-]", "[ab]", r"\w", "(.*?)", "(a+?)", "([^1]{1,3}?)"]),
    st.sampled_from(["*?", "*?", "+?", "??", "{2}?", "{1,2}?", "{2,}?", "{0,3}?", ""]),
    st.sampled_from(["b", "-", "[1-]", r"\s", "a", "", "(b)"]),
    st.sampled_from(["", "", "", "1", "$", "b*"]),
)


@given(patterns=st.lists(PATTERNS, min_size=10, max_size=10), texts=TEXTS)
@settings(max_examples=12, deadline=None, database=None, suppress_health_check=list(HealthCheck))
def test_the_same_is_found(engines: Mapping[str, Adapter], patterns: list[str], texts: list[str]) -> None:
    compared(engines, patterns, texts)


@given(patterns=st.lists(LAZY, min_size=10, max_size=10), texts=TEXTS)
@settings(max_examples=12, deadline=None, database=None, suppress_health_check=list(HealthCheck))
def test_the_least_that_can_be_taken(engines: Mapping[str, Adapter], patterns: list[str], texts: list[str]) -> None:
    compared(engines, patterns, texts)


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        ("<.*?>", "a<b>c>", "<b>"),
        ('"(.*?)"', 'x="1" y="2"', '"1"'),
        (".+?x", "xxax", "xx"),
        ("a{1,2}?b", "aaab", "aab"),
        ("(?m)^b+$", "a\nbb\nc", "bb"),
        ("(?m)a$", "ba\n", "a"),
    ],
)
def test_what_people_write(engines: Mapping[str, Adapter], pattern: str, text: str, found: str) -> None:
    expression = parse_expression(f"regexp_extract(a, '{pattern}')", Schema.of(a=String()))
    for engine in engines.values():
        assert engine.problems(expression) == []
        assert evaluate(engine, [expression], Schema.of(a=String()), [{"a": text}]) == [[f"str {found!r}"]]


def compared(engines: Mapping[str, Adapter], patterns: list[str], texts: list[str]) -> None:
    schema, able = Schema.of(a=String()), {}
    for pattern in patterns:
        quoted = "'" + pattern.replace("'", "''") + "'"
        for call in CALLS:
            try:
                expression = parse_expression(call.format(quoted), schema)
            except ExpressionError:
                continue
            if not any(engine.problems(expression) for engine in engines.values()):
                able[call.format(quoted)] = expression
    rows = [{"a": text} for text in texts]
    first, *others = (evaluate(engine, list(able.values()), schema, rows) if able else [] for engine in engines.values())
    for other in others:
        for text, ones, twos in zip(texts, first, other, strict=True):
            for call, one, two in zip(able, ones, twos, strict=True):
                assert (call, text, two) == (call, text, one)
