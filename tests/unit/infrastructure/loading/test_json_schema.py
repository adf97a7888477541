"""The JSON Schema of definitions says the same as the loader."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest
import yaml
from tests.corpus.cases import FOREIGN_WORDS, MISSING, WRONG_LEVEL
from tests.corpus.mutations import GOOD, keys_misspelt, words_misspelt
from tests.corpus.test_corpus import CATALOG as REAL

from headrace.infrastructure.loader import definition_schema
from headrace.infrastructure.loading.reading import read_document

SCHEMA = definition_schema(REAL)
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def data(text: str) -> Any:
    return read_document(text, "f").data


def test_it_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("file", sorted(GOOD.glob("*.yaml")), ids=lambda f: f.name)
def test_good_definitions_are_valid(file):
    assert [error.message for error in VALIDATOR.iter_errors(data(file.read_text()))] == []


@pytest.mark.parametrize("file", sorted(GOOD.glob("*.yaml")), ids=lambda f: f.name)
def test_misspelt_definitions_are_not(file):
    text = file.read_text()
    cases = [*keys_misspelt(file.name, text), *words_misspelt(file.name, text)]
    passed = [case.name for case in cases if VALIDATOR.is_valid(data(case.text))]
    # What a schema cannot know: that a column is called like a key of the contract, and what a check takes for a dataset.
    assert len(passed) <= 0.05 * len(cases), passed


def test_wrong_levels_and_missing_keys_are_seen():
    cases = [*WRONG_LEVEL, *MISSING, *FOREIGN_WORDS]
    passed = [case.name for case in cases if VALIDATOR.is_valid(data(case.text))]
    assert len(passed) <= 0.1 * len(cases), passed


@pytest.mark.parametrize(
    ("part", "valid"),
    [
        ({"filter": "x > 1"}, True),
        ({"filter": {"condition": "x > 1"}}, True),
        ({"filter": True}, True),
        ({"limit": 5}, True),
        ({"limit": "${params.top}"}, True),
        ({"limit": "five"}, False),
        ({"limit": {"rows": 5, "ofset": 1}}, False),
        ({"limit": 5, "filter": "x"}, False),
        ({"name": "a", "from": "b", "derive": {"x": "y"}}, True),
        ({"name": "a"}, False),
    ],
)
def test_steps(part, valid):
    assert VALIDATOR.is_valid({"pipeline": "p", "sources": {"a": {"file": "x"}}, "steps": [part]}) is valid


@pytest.mark.parametrize(
    ("keys", "valid"),
    [
        ({"retry": {"attempts": 5, "budget": "1 hour"}, "timeout": "2 hours"}, True),
        ({"retry": {"attempts": "${params.tries}"}, "timeout": "${params.limit}"}, True),
        ({"retry": {}}, True),
        ({"retry": {"attempts": 0}}, False),
        ({"retry": {"attemps": 5}}, False),
        ({"retry": 5}, False),
        ({"timeout": 7200}, False),
    ],
)
def test_retries_and_time(keys, valid):
    assert VALIDATOR.is_valid({"pipeline": "p", "sources": {"a": {"file": "x"}}, **keys}) is valid


def test_every_option_of_ours_says_what_it_is():
    items = SCHEMA["$defs"]["step"]["properties"]
    assert {"filter", "derive", "name", "from"} <= set(items)
    assert all("description" in items[name] for name in ("filter", "derive"))


def test_it_is_plain_data():
    assert yaml.safe_load(yaml.safe_dump(SCHEMA)) == SCHEMA
