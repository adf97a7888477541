"""Which casts there are, and which notations make sense."""

from __future__ import annotations

import pytest

from headrace.business.model.types import parse_type
from headrace.business.processing.expressions.casting import cast_problem, notation_problem
from headrace.business.processing.expressions.ir import CastFormat
from headrace.business.processing.expressions.time_formats import LETTERS, format_problem


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("string", "int32"), ("int32", "string"), ("float64", "decimal(5, 2)"), ("date", "timestamp"), ("timestamp", "date"),
        ("boolean", "int8"), ("json", "list<int32>"), ("list<int32>", "json"), ("list<int32>", "list<int8>"),
        ("struct<a: int32, b: string>", "struct<b: string, a: int64>"), ("enum(a, b)", "string"), ("int32", "enum(1, 2)"),
    ],
)  # fmt: skip
def test_casts_that_there_are(source: str, target: str) -> None:
    assert cast_problem(parse_type(source), parse_type(target)) is None


@pytest.mark.parametrize(
    ("source", "target", "hint"),
    [
        ("int32", "boolean", "<> 0"), ("timestamptz", "date", "at time zone"), ("timestamp", "timestamptz", "at time zone"),
        ("timestamp", "time", "time(x)"), ("list<int32>", "string", "json"), ("interval", "string", "interval"), ("date", "int32", None),
        ("struct<a: int32>", "struct<b: int32>", None), ("list<date>", "list<int32>", None),
    ],
)  # fmt: skip
def test_casts_that_there_are_not(source: str, target: str, hint: str | None) -> None:
    problem = cast_problem(parse_type(source), parse_type(target))
    assert problem is not None
    assert source in problem[0]
    assert hint is None or hint in (problem[1] or "")


@pytest.mark.parametrize(
    ("target", "written", "message"),
    [
        ("int32", CastFormat(pattern="%Y"), "dates and times"),
        ("date", CastFormat(pattern="dd.mm.yyyy"), "no date format"),
        ("date", CastFormat(pattern="%d.%m.%q"), "`%q` means nothing"),
        ("timestamptz", CastFormat(pattern="%Y-%m-%d"), "needs an offset"),
        ("timestamp", CastFormat(pattern="%Y-%m-%d %z"), "would lose"),
        ("int32", CastFormat(decimal_mark=",", thousands_mark=","), "cannot part both"),
        ("boolean", CastFormat(true_words=("J", "x"), false_words=("X",)), "both true and false"),
    ],
)
def test_notations_that_cannot_be_carried_out(target: str, written: CastFormat, message: str) -> None:
    problem = notation_problem(parse_type(target), written)
    assert problem is not None
    assert message in problem[0]


def test_other_notations_can() -> None:
    assert notation_problem(parse_type("date"), CastFormat(pattern="%d.%m.%Y")) is None
    assert notation_problem(parse_type("timestamptz"), CastFormat(pattern="%Y-%m-%dT%H:%M:%S%z")) is None
    assert notation_problem(parse_type("float64"), CastFormat(decimal_mark=",", thousands_mark=".")) is None


@pytest.mark.parametrize("letter", LETTERS)
def test_every_letter_that_is_listed_is_known(letter: str) -> None:
    assert format_problem(f"%Y{letter}") is None
