from __future__ import annotations

import pytest

from headrace.business.model.schema import Schema
from headrace.business.model.types import Integer
from headrace.business.processing.steps.findings import Findings
from headrace.business.processing.steps.ordering import read_terms

SCHEMA = Schema.of(**{name: Integer(32) for name in ("a", "b c", "-x", "asc", "d desc", 'q"')})


@pytest.mark.parametrize(
    ("text", "name", "descending", "nulls_first"),
    [
        ("a", "a", False, False),
        ("A", "a", False, False),
        ("-a", "a", True, False),
        ("- a nulls first", "a", True, True),
        ("a desc", "a", True, False),
        ("a ASC NULLS FIRST", "a", False, True),
        (" a  desc  nulls  last ", "a", True, False),
        ("a nulls first", "a", False, True),
        ("b c", "b c", False, False),
        ('"b c" desc', "b c", True, False),
        ("-x", "-x", False, False),
        ("asc", "asc", False, False),
        ("asc desc", "asc", True, False),
        ("d desc", "d desc", False, False),
        ("b c desc", "b c", True, False),
        ('"q"""', 'q"', False, False),
    ],
)
def test_terms(text, name, descending, nulls_first):
    findings = Findings()
    (term,) = read_terms([text], SCHEMA, findings)
    findings.settle()
    assert (term.key.expression.reads(), term.key.descending, term.key.nulls_first) == (name, descending, nulls_first)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", (True, False)),
        ("-a", (False, False)),
        ("a nulls first", (True, False)),
        ("a nulls last", (True, True)),
        ("a desc nulls last", (False, True)),
    ],
)
def test_the_other_way_round_keeps_unknown_values_last_unless_their_place_was_said(text, expected):
    (term,) = read_terms([text], SCHEMA, Findings())
    turned = term.reversed().key
    assert (turned.descending, turned.nulls_first) == expected


def test_an_expression_may_order(bench):
    (term,) = read_terms(["-(a + 1)"], SCHEMA, Findings())
    assert term.key.descending
    assert term.key.expression.columns() == {"a"}
