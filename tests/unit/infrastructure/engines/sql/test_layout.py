from __future__ import annotations

import pytest

from headrace.infrastructure.engines.sql.layout import Clauses, bare, indented, nested


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('("a" > 1)', '"a" > 1'),
        ('("a") + ("b")', '("a") + ("b")'),
        ("(SELECT 1)", "(SELECT 1)"),
        ("(\nSELECT 1\n)", "(\nSELECT 1\n)"),
        ("(')' || 'x')", "')' || 'x'"),
        ('("(" IS NULL)', '"(" IS NULL'),
        ("f(x)", "f(x)"),
        ("(a) AND (b)", "(a) AND (b)"),
    ],
)
def test_brackets_around_everything_are_left_out(text, expected):
    assert bare(text) == expected


def test_lines_inside_a_name_or_a_value_are_not_indented():
    assert indented("a\n'x\ny'\n\"p\nq\"") == "  a\n  'x\ny'\n  \"p\nq\""


def test_a_doubled_quote_does_not_end_a_text():
    assert indented("'it''s\nhere'\nz") == "  'it''s\nhere'\n  z"


def test_long_lists_are_broken_and_names_share_lines():
    names = [f'"column number {i}"' for i in range(12)]
    text = Clauses('"t"', [*names, "f(x) AS y"]).text()
    assert text.splitlines()[0] == "SELECT"
    assert max(map(len, text.splitlines())) <= 104
    assert text.splitlines()[-2:] == ["  f(x) AS y", 'FROM "t"']


def test_a_short_query_stays_on_its_line():
    assert nested("SELECT 1") == "(SELECT 1)"
