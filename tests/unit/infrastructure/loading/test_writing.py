"""Definitions as YAML, which reads as the same."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.corpus.mutations import GOOD
from tests.corpus.test_corpus import CATALOG as REAL
from tests.definitions.plugins import OnlyThese
from tests.definitions.reading import HEAD, read

from headrace.errors import UsageError
from headrace.infrastructure.loader import build, load_text, to_yaml

CATALOG = OnlyThese()

NAMES = st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True).filter(lambda name: name != "input")
TEXTS = st.text(st.characters(exclude_categories=("Cs", "Co")), min_size=1, max_size=20)
WORDS = st.sampled_from(["NO", "1", "1e5", "0o7", "010", "~", "", "true", "a: b", "- x", "#c", "${params.x}", "$${", "x\ny\n", "12:30", "<<", "=", "'", '"', "@", "{a}", "\u2028", "é"])  # fmt: skip
STRINGS = TEXTS | WORDS.filter(bool)
NUMBERS = st.integers(-(2**70), 2**70) | st.floats(allow_nan=False)
STEPS = st.one_of(
    st.builds(lambda s: {"filter": s.replace("${", "$${")}, STRINGS),
    st.builds(
        lambda d: {"derive": {k: v.replace("${", "$${") for k, v in d.items()}},
        st.dictionaries(NAMES, STRINGS, min_size=1, max_size=3),
    ),
    st.builds(lambda n: {"limit": n}, st.integers(0, 10**9)),
    st.builds(
        lambda names, fill: {"clean": {"trim": names, "fill": fill}},
        st.lists(NAMES, min_size=1, max_size=2),
        st.dictionaries(NAMES, NUMBERS | st.booleans(), max_size=2),
    ),
)
COLUMNS = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["int32", "string", "decimal(10, 2)", "list<string>", "enum(a, b)"]),
        "required": st.booleans() | st.builds(lambda b: {"is": b, "on_violation": "warn"}, st.booleans()),
        "in": st.lists(STRINGS.map(lambda s: s.replace("${", "$${")) | NUMBERS | st.booleans(), min_size=1, max_size=3),
        "length": st.integers(0, 9) | st.just({"max": 3}),
        "nulls": st.lists(WORDS.map(lambda s: s.replace("${", "$${")), max_size=3),
        "trim": st.booleans(),
    },
)
CONTRACTS = st.fixed_dictionaries(
    {"columns": st.dictionaries(st.from_regex(r"c_[a-z]{1,5}", fullmatch=True), COLUMNS, max_size=3)},
    optional={
        "key": st.lists(NAMES, min_size=1, max_size=2),
        "on_violation": st.sampled_from(["drop", "fail"]),
        "on_drift": st.sampled_from(["freeze", "evolve"]),
    },
)

PLAIN = TEXTS.map(lambda s: s.replace("${", "$${"))
OCCASIONS = st.lists(st.sampled_from(["failed", "quarantined", "check_failed", "recovered"]), min_size=1, unique=True)
WAYS = st.sampled_from(
    [
        {"webhook": "${secret:env/HOOK}"},
        {"webhook": {"url": "https://x/$${y}?${secret:file/t}", "headers": {"A": "${secret:env/A}"}}},
        {"email": {"to": "a@x", "from": "b@x", "server": "m:25", "user": "u", "password": "${secret:env/P}"}},
        {"email": {"to": ["a@x", "c@x"], "from": "b@x", "server": "m", "security": "none"}},
    ]
) | st.builds(lambda words: {"command": words}, st.lists(PLAIN, min_size=1, max_size=3))
IN_TIME = st.fixed_dictionaries(
    {},
    optional={
        "schedule": st.sampled_from(
            [
                "*/15 * * * *",
                {"cron": "@daily", "timezone": "Europe/Berlin", "catch_up": "none"},
                {"every": "90 seconds", "start": "2024-01-01", "end": "2024-12-31", "expect_within": "1 hour"},
            ]
        ),
        "triggers": st.lists(st.builds(lambda s: {"file": s}, PLAIN) | st.just({"pipeline": "orders"}), max_size=2),
        "notify": st.lists(st.builds(lambda on, way: {"on": on, **way}, OCCASIONS, WAYS), min_size=1, max_size=3)
        | st.just(
            [{"name": "webhook", "on": "failed", "command": ["x"]}, {"on": "failed", "webhook": "${secret:env/W}", "after": 2}]
        ),
        "priority": st.integers(-1000, 1000),
        "slots": st.dictionaries(st.sampled_from(["warehouse", "api"]), st.integers(1, 9)),
        "concurrency": st.integers(1, 9),
    },
)


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    sources = draw(
        st.dictionaries(
            NAMES,
            st.builds(lambda c: {"file": "a.csv", **({"contract": c} if c else {})}, st.none() | CONTRACTS),
            min_size=1,
            max_size=2,
        )
    )
    document: dict[str, Any] = {"pipeline": "p", "sources": sources, "steps": draw(st.lists(STEPS, max_size=4))}
    if draw(st.booleans()):
        document["description"] = draw(STRINGS)
        document["checks"] = [{"row_count": {"min": draw(st.integers())}}, {"row_count_anomaly": {"history": "90 minutes"}}]
        document["sinks"] = [
            {"file": draw(TEXTS).replace("${", "x")},
            {"postgres": {"url": "a$${b}${secret:env/PW}", "table": "t", "indexes": [["a", "b"]]}},
        ]
    return {**document, **draw(IN_TIME)}


@given(documents())
def test_what_is_written_reads_as_the_same(document):
    definition = build(document, {}, catalog=CATALOG, env={}).definition
    text = to_yaml(definition)
    assert load_text(text, catalog=CATALOG, env={}).definition == definition, text


@pytest.mark.parametrize("file", sorted(GOOD.glob("*.yaml")), ids=lambda f: f.name)
def test_good_definitions_read_as_the_same(file):
    definition = load_text(file.read_text(), catalog=REAL, env={}).definition
    assert load_text(to_yaml(definition), catalog=REAL, env={}).definition == definition


def test_it_is_as_short_as_people_write_it():
    text = "version: 1\npipeline: p\nsources:\n  a: {file: a.csv}\nsteps:\n- {filter: x > 1}\n- {filter: x > 2}\n- {name: last, from: filter, limit: 5}\n"
    assert to_yaml(read(text).definition) == text


def test_a_secret_in_plain_text_is_not_written_out():
    definition = read(HEAD + "sinks: [{postgres: {url: 'pg://u:hunter2@h', table: t}}]").definition
    with pytest.raises(UsageError) as caught:
        to_yaml(definition)
    assert "hunter2" not in str(caught.value)
