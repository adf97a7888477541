"""What may be written is DuckDB's syntax as SQLGlot knows it, but for what we mean to have otherwise."""

from __future__ import annotations

import pytest
from sqlglot.dialects.dialect import Dialect
from sqlglot.dialects.duckdb import DuckDB
from sqlglot.tokens import Tokenizer

from headrace.business.processing.expressions.dialect import _THEIR_TYPES, Headrace

#: List positions stay as they were written, and nothing is written as SQL or given types by SQLGlot.
OURS = {"INDEX_OFFSET", "EXPRESSION_METADATA", "INVERSE_TIME_MAPPING", "INVERSE_TIME_TRIE"}


def settings(cls: type) -> list[str]:
    return [name for name in dir(cls) if name.isupper() and not name.startswith("_")]


@pytest.mark.parametrize("name", [name for name in settings(Dialect) if name not in OURS])
def test_the_dialect_is_that_of_duckdb(name):
    assert getattr(Headrace, name) == getattr(DuckDB, name)


@pytest.mark.parametrize("name", [name for name in settings(Tokenizer) if name != "KEYWORDS"])
def test_words_are_told_apart_as_in_duckdb(name):
    assert getattr(Headrace.Tokenizer, name) == getattr(DuckDB.Tokenizer, name)


def test_keywords_are_those_of_duckdb_without_its_types():
    theirs = {word: kind for word, kind in DuckDB.Tokenizer.KEYWORDS.items() if kind.name not in _THEIR_TYPES}
    assert theirs == Headrace.Tokenizer.KEYWORDS


def test_no_function_of_sqlglot_is_known():
    assert Headrace.Parser.FUNCTIONS == {}
    assert set(Headrace.Parser.FUNCTION_PARSERS) == {"CAST", "TRY_CAST", "EXTRACT", "SUBSTRING"}
