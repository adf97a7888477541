"""Whatever stands in a definition, it is read or told what is wrong with it, at places that exist."""

from __future__ import annotations

import json
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.corpus.mutations import GOOD
from tests.definitions.plugins import PLUGINS, OnlyThese

from headrace.errors import DefinitionError, Problem
from headrace.infrastructure.loader import load_text

CATALOG = OnlyThese()
KEYS = st.sampled_from(
    [
        "version", "pipeline", "params", "sources", "steps", "checks", "sinks", "tests", "name", "from", "on", "contract", "columns", "rules",
        "key", "type", "required", "is", "in", "between", "length", "references", "on_violation", "on_drift", "incremental", "by", "lag",
        "path", "url", "dedupe", "fill", "trim", "min", "max", "history", "rows", "expect", "default", "retry", "attempts", "budget", "timeout", "a", "b", "nmae", "clumns",
        *(cls.kind for group in PLUGINS.values() for cls in group),
    ]
)  # fmt: skip
LEAVES = st.none() | st.booleans() | st.integers(-3, 3) | st.floats() | st.sampled_from(
    ["", "a", "int32", "date", "a.b", "x > 1", "8 weeks", "drop", "${params.a}", "${secret:env/X}", "x${params.b}y", "${", "a: b", "\n", "input"]
)  # fmt: skip
DATA = st.recursive(LEAVES, lambda below: st.lists(below, max_size=3) | st.dictionaries(KEYS, below, max_size=4), max_leaves=25)
PARTS = st.dictionaries(KEYS, DATA, max_size=3)
DOCUMENTS = DATA | st.fixed_dictionaries(
    {"pipeline": st.just("p")},
    optional={
        "params": st.dictionaries(KEYS, DATA, max_size=2),
        "sources": st.dictionaries(KEYS, PARTS | st.builds(lambda c: {"file": "x", "contract": c}, DATA), max_size=3),
        "steps": st.lists(PARTS | DATA, max_size=3),
        "checks": st.lists(PARTS, max_size=2),
        "sinks": st.lists(PARTS, max_size=2),
        "tests": st.lists(PARTS, max_size=2),
        "stpes": DATA,
        "retry": PARTS | DATA,
        "timeout": DATA,
    },
)


def problems_of(text: str) -> Sequence[Problem]:
    """What is wrong with it; any other error than that is a fault of ours."""
    try:
        load_text(text, catalog=CATALOG, env={})
    except DefinitionError as error:
        return error.problems
    return []


@given(DOCUMENTS, st.booleans())
@settings(max_examples=300, deadline=None)
def test_it_is_read_or_told(document, indented):
    text = json.dumps(document, indent=2 if indented else None)
    lines = text.split("\n")
    for problem in problems_of(text):
        assert problem.message
        assert problem.location is not None
        assert 1 <= problem.location.line <= len(lines)
        assert 1 <= problem.location.column <= len(lines[problem.location.line - 1]) + 1


TEXTS = [file.read_text() for file in sorted(GOOD.glob("*.yaml"))]


@given(
    st.sampled_from(TEXTS),
    st.lists(
        st.tuples(st.floats(0, 0.999), st.integers(0, 6), st.text("{}[]:,-'\"|>&*!#%@ \n\t?a0$é\\\r", max_size=3)),
        min_size=1,
        max_size=3,
    ),
)
@settings(max_examples=300, deadline=None)
def test_text_with_random_slips_is_read_or_told(text, slips):
    for share, length, put in slips:
        start = int(share * len(text))
        text = text[:start] + put + text[start + length :]
    assert all(p.location is not None and p.location.line <= text.count("\n") + text.count("\r") + 1 for p in problems_of(text))
