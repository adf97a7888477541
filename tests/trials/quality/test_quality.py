"""Data quality under stress: rules that err, rules on nothing, patterns that blow up, and rules that try to reach out."""

from __future__ import annotations

from typing import Any

import pytest
from tests.integration.runs.project import Project

from headrace.errors import AuditFailed, DefinitionError


@pytest.fixture
def project(tmp_path: Any) -> Project:
    return Project(tmp_path)


RULES: dict[str, Any] = {
    "required": True, "between": [0, 5], "in": [1, 2], "not_in": [9], "at_least": 0, "at_most": 5, "above": -1, "below": 9, "unique": True,
}  # fmt: skip


@pytest.mark.parametrize("rows", [[], [[None, 1]], [[1, 1]], [[None, i] for i in range(50)], [[1, 1]] * 50])
def test_every_rule_has_a_defined_result_on_nothing_on_one_and_on_many_alike(rows: list[list[Any]], project: Project) -> None:
    project.data("in.csv", ["a", "b"], rows)
    checks = [
        {"row_count": {"min": 0}}, {"null_share": {"column": "a", "max": "100%", "on_fail": "warn"}},
        {"mean": {"column": "a", "between": [0, 5], "on_fail": "warn"}}, {"unique": {"columns": ["a"], "on_fail": "warn"}},
    ]  # fmt: skip
    run = project.one(
        {"columns": {"a": {"type": "int32", **RULES}, "b": "int32"}, "rules": {"r": "a / b > 0"}}, checks=checks
    ).run()
    counts = run.sources["rows"]
    assert counts["read"] == len(rows) == counts["good"] + counts["quarantined"]
    assert counts["good"] == (1 if rows == [[1, 1]] else 0)
    assert all(check["outcome"] in ("pass", "fail", "skipped", "learning") for check in run.checks)


def test_division_by_zero_in_a_rule_is_null_and_passes(project: Project) -> None:
    project.data("in.csv", ["a", "b"], [[1, 0], [1, 2], [-1, 2]])
    run = project.one({"rules": {"r": "a / b > 0", "strict": {"expression": "a / b > 0", "nulls": "fail"}}}).run()
    assert project.reasons(run) == {1: ["strict"], 3: ["r", "strict"]}


def test_a_check_that_errs_blocks_and_the_others_are_still_told(project: Project) -> None:
    project.data("in.csv", ["a"], [["1"], ["x"]])
    checks = [{"name": "errs", "expression": "max(cast(a as int32)) > 0"}, {"name": "fine", "row_count": {"min": 1}}]
    with pytest.raises(AuditFailed, match="1 of 2 checks"):
        project.one(checks=checks).run()


def test_patterns_that_blow_up_elsewhere_are_linear(project: Project) -> None:
    project.data("in.csv", ["a"], [["a" * 5000 + "!"], ["aaa"]])
    run = project.one({"columns": {"a": {"type": "string", "matches": "^(a+)+$"}}}).run()
    assert project.reasons(run) == {1: ["a.matches"]}


@pytest.mark.parametrize(
    "rule",
    [
        "1 = 1; drop table t", "a in (select 1)", "read_csv('/etc/passwd') is null", "(select count(*) from read_text('/etc/passwd')) > 0",
        "copy t to 'x'", "attach 'x'", "pragma version", "getenv('HOME') = ''", "current_setting('memory_limit') = ''", "a = 1 --", "exists (select 1)",
    ],
)  # fmt: skip
def test_rules_reach_nothing_but_their_row(rule: str, project: Project) -> None:
    project.data("in.csv", ["a"], [[1]])
    project.one({"rules": {"r": rule}})
    if rule == "a = 1 --":
        assert project.run().sources["rows"]["good"] == 1
        return
    with pytest.raises(DefinitionError) as caught:
        project.run()
    assert caught.value.problems[0].location


@pytest.mark.parametrize(
    "contract",
    [
        {"column": {"a": "int32"}}, {"columns": {"a": {"typ": "int32"}}}, {"columns": {"a": {"type": "int32", "inn": [1]}}},
        {"columns": {"a": {"required": {"is": True, "severity": "warn"}}}}, {"rules": {"r": {"expr": "a > 1"}}}, {"on_violation": "ignore"},
    ],
)  # fmt: skip
def test_a_misspelt_word_is_told_with_its_line(contract: dict[str, Any], project: Project) -> None:
    project.data("in.csv", ["a"], [[1]])
    with pytest.raises(DefinitionError) as caught:
        project.one(contract).run()
    assert caught.value.problems[0].location.line > 1


def test_what_is_written_as_text_stays_text(project: Project) -> None:
    cells = ["0.1", "1e5", "٣", "NaN", "\U0001f600", "a\u0301", "0001-01-01", "", " ", "'; drop table x; --", '{"a": 1}']
    project.data("in.csv", ["k", "a"], [["bad", cell] for cell in cells])
    run = project.one({"columns": {"k": "int32", "a": "string"}}).run()
    assert [row["cells"]["a"] or "" for row in project.held(run)] == cells
