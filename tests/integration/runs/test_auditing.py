"""The audit stands before the targets: what blocks leaves them byte for byte as they were."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from tests.integration.runs.project import Project

from headrace.application.queries.quality import check_history
from headrace.errors import AuditFailed, ContractBroken

SINKS = [
    {"name": "file", "file": {"path": "out/", "format": "parquet"}},
    {"name": "duck", "duckdb": {"path": "out.duckdb", "table": "t"}},
    {"name": "lite", "sqlite": {"path": "out.sqlite", "table": "t", "mode": "append"}},
]


def bytes_of(folder: Path) -> dict[str, str]:
    """What the targets hold, byte for byte, without what SQLite keeps beside a file while it reads."""
    files = [*folder.glob("out/**/*"), folder / "out.duckdb", folder / "out.sqlite"]
    return {str(p): hashlib.sha256(p.read_bytes()).hexdigest() for p in files if p.is_file()}


def outcome(project: Project, check: dict[str, Any], **parts: Any) -> Any:
    run = project.one(checks=[{"name": "c", **check}], **parts).run(force=True)
    return run.checks[0]["outcome"]


@pytest.mark.parametrize(
    "check", [{"row_count": {"min": 3}}, {"null_share": {"column": "v", "max": 0.1}}, {"unique": {"columns": ["v"]}}]
)
def test_a_blocking_check_leaves_every_target_as_it_was(check: dict[str, Any], project: Project) -> None:
    project.data("in.csv", ["id", "v"], [[1, 1], [2, 2]])
    project.one(sinks=SINKS).run()
    before = bytes_of(project.folder)
    assert len(before) >= 3
    project.data("in.csv", ["id", "v"], [[5, None]] if "row_count" in check or "null_share" in check else [[5, 5], [6, 5]])
    project.one(sinks=SINKS, checks=[{"name": "c", **check}])
    with pytest.raises(AuditFailed, match="1 of 1 checks did not pass: c"):
        project.run()
    assert bytes_of(project.folder) == before


def test_a_broken_contract_leaves_every_target_as_it_was(project: Project) -> None:
    project.data("in.csv", ["id", "v"], [[1, 1], [2, 2]])
    project.one(sinks=SINKS).run()
    before = bytes_of(project.folder)
    project.data("in.csv", ["id", "v"], [[-1, 1], [2, 2]])
    project.one({"columns": {"id": {"type": "int64", "above": {"is": 0, "on_violation": "fail"}}}}, sinks=SINKS)
    with pytest.raises(ContractBroken, match=r"id.above \(1 rows\)"):
        project.run()
    assert bytes_of(project.folder) == before


def test_a_warning_goes_on(project: Project) -> None:
    project.data("in.csv", ["id", "v"], [[1, 1]])
    assert outcome(project, {"row_count": {"min": 3, "on_fail": "warn"}}) == "fail"
    assert project.multiset() == {("1", "1"): 1}


def test_a_check_that_cannot_be_measured_is_an_error_and_blocks(project: Project) -> None:
    project.data("in.csv", ["v"], [["1"], ["x"]])
    checks = [
        {"name": "bad", "expression": "sum(cast(v as int64)) > 1"},
        {"name": "fine", "row_count": {"min": 1}},
    ]
    project.one(checks=checks)
    with pytest.raises(AuditFailed, match="1 of 2"):
        project.run()
    from headrace.application.queries.runs import find_run

    run = find_run(project.store, None)
    assert {c["check"]: c["outcome"] for c in run.checks} == {"bad": "error", "fine": "pass"}
    assert not (project.folder / "out.csv").exists()


def test_an_anomaly_check_learns_first(project: Project) -> None:
    project.data("in.csv", ["v"], [[1], [2]])
    check = {"row_count_anomaly": {"history": "8 weeks"}}
    assert outcome(project, check) == "learning"
    assert project.multiset() == {("1",): 1, ("2",): 1}


def test_history_is_of_the_same_version_and_of_published_runs(project: Project) -> None:
    project.data("in.csv", ["v", "w"], [[1, 2], [2, 3]])
    outcome(project, {"mean": {"column": "v", "between": [0, 5]}})
    outcome(project, {"mean": {"column": "v", "between": [0, 9]}})
    outcome(project, {"mean": {"column": "w", "between": [0, 5]}})
    with pytest.raises(AuditFailed):
        outcome(project, {"mean": {"column": "w", "between": [9, 10]}})
    assert sorted(len(rows) for rows in check_history(project.store, "p").values()) == [1, 2]
