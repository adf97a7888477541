"""Rules of single columns: which values fit which types, and what is said of those that do not."""

from __future__ import annotations

from typing import Any

import pytest

from headrace.business.model.contract import ColumnContract
from headrace.business.model.schema import Column
from headrace.business.model.types import parse_type
from headrace.business.processing.expressions.build import column, is_null
from headrace.business.validation.column_rules import column_rules


def compiled(kind: str, **options: Any) -> tuple[list[Any], list[str]]:
    written = ColumnContract.model_validate({"type": kind, **options})
    target = Column("c", parse_type(kind))
    rules, problems = column_rules("c", written, target, "quarantine", is_null(column("c", target.type)))
    return rules, [problem.message for problem in problems]


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("int32", {"in": [1, 2]}), ("int64", {"between": [1.0, 2]}), ("float64", {"at_least": 0}), ("decimal(9, 2)", {"above": "0.05"}),
        ("date", {"between": ["2024-01-01", None]}), ("timestamp", {"below": "2024-01-01 10:00:00"}), ("time", {"at_most": "10:00"}),
        ("string", {"matches": "^a"}), ("string", {"length": 3}), ("string", {"length": {"max": 3}}), ("enum(a, b)", {"in": ["a"]}),
        ("boolean", {"in": [True]}), ("string", {"between": ["a", "b"]}),
    ],
)  # fmt: skip
def test_what_fits_becomes_a_rule(kind: str, options: dict[str, Any]) -> None:
    rules, problems = compiled(kind, **options)
    assert problems == []
    assert [rule.name for rule in rules] == [f"c.{name}" for name in options]
    assert rules[0].columns == ("c",)


@pytest.mark.parametrize(
    ("kind", "options", "told"),
    [
        ("int32", {"in": ["x"]}, "`in`: `x` is not of the column's type int32"),
        ("int32", {"at_least": 1.5}, "`at_least`: `1.5` is not of the column's type int32"),
        ("int32", {"in": [True]}, "`in`: `True` is not of the column's type int32"),
        ("int32", {"in": []}, "`in`: needs at least one value"),
        ("int32", {"matches": "a"}, "`matches`: only text can match a pattern, and this column is of type int32"),
        ("int32", {"length": 1}, "`length`: only text has a length, and this column is of type int32"),
        ("int32", {"between": [2, 1]}, "`between`: the lower bound 2 is greater than the upper bound 1"),
        ("int32", {"between": [None, None]}, "`between`: needs at least one bound"),
        ("string", {"between": [1, 2]}, "`between`: `1` is not of the column's type string"),
        ("boolean", {"at_least": True}, "`at_least`: a column of type boolean has no order"),
        ("date", {"at_least": "soon"}, "`at_least`: `soon` is not of the column's type date"),
        ("string", {"length": {}}, "`length`: needs `min` or `max`"),
    ],
)
def test_what_does_not_fit_is_told(kind: str, options: dict[str, Any], told: str) -> None:
    rules, problems = compiled(kind, **options)
    assert rules == []
    assert problems == [told]


def test_a_pattern_that_re2_cannot_run_is_told() -> None:
    for pattern in ("(a", r"(?=a)", r"(a)\1"):
        assert "is not a regular expression that RE2 can run" in compiled("string", matches=pattern)[1][0]


def test_a_word_that_the_column_does_not_know_is_told() -> None:
    assert "did you mean" in compiled("enum(north, south)", **{"in": ["nort"]})[1][0]


def test_each_rule_has_its_own_consequence_or_that_of_the_column() -> None:
    rules, _ = compiled("int32", on_violation="drop", required=True, at_least={"is": 1, "on_violation": "fail"})
    assert {rule.name: rule.action for rule in rules} == {"c.required": "drop", "c.at_least": "fail"}


def test_the_version_is_of_what_the_rule_says() -> None:
    versions = [compiled("int32", at_least=bound)[0][0].version for bound in (1, 1, 2)]
    assert versions[0] == versions[1] != versions[2]


def test_what_is_not_required_is_no_rule() -> None:
    assert compiled("int32", required=False) == ([], [])
