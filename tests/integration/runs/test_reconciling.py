"""`reconcile` against a target: what it holds before a run is published, and what it will hold after."""

from __future__ import annotations

from typing import Any

import pytest
from tests.integration.runs.project import Project

from headrace.errors import AuditFailed, DefinitionError

KINDS = ("folder", "file", "duckdb", "sqlite", "postgres")
CONTRACT = {"columns": {"id": {"type": "int64"}, "v": {"type": "decimal(10, 2)"}}}


@pytest.fixture(params=KINDS)
def sink(request: pytest.FixtureRequest) -> dict[str, Any]:
    places: dict[str, dict[str, Any]] = {
        "folder": {"file": {"path": "out/"}},
        "file": {"file": {"path": "out.parquet"}},
        "duckdb": {"duckdb": {"path": "out.duckdb", "table": "t"}},
        "sqlite": {"sqlite": {"path": "out.sqlite", "table": "t"}},
    }
    if request.param != "postgres":
        return places[request.param]
    return {"postgres": {"url": request.getfixturevalue("postgres"), "table": "t"}}


def observed(project: Project, sink: dict[str, Any], rows: list[Any], mode: dict[str, Any], check: dict[str, Any]) -> str:
    """One run on these rows, and what the check saw; it only warns."""
    project.data("in.csv", ["id", "v"], rows)
    kind, options = next(iter(sink.items()))
    check = {"name": "c", "reconcile": {"against": "out", "measure": "sum(v)", "on_fail": "warn", **check}}
    project.one(CONTRACT, sinks=[{"name": "out", kind: {**options, **mode}}], checks=[check])
    found = project.run().checks[0]
    return f"{found['outcome']}: {found['observed']}".replace(".00", "").replace(".50", ".5")


def test_appended_rows_come_beside_those_that_are_there(project: Project, sink: dict[str, Any]) -> None:
    append = {"mode": "append"}
    assert observed(project, sink, [[1, "1.50"]], append, {}) == "pass: 1.5 here, 1.5 in `out`"
    assert observed(project, sink, [[2, "2.00"]], append, {}).startswith("fail: 2 here, 3.5 in `out`")
    assert observed(project, sink, [[3, "4.00"]], append, {"when": "before"}).startswith("fail: 4 here, 3.5 in `out`")


def test_merged_rows_take_the_place_of_those_with_their_key(project: Project, sink: dict[str, Any]) -> None:
    merge = {"mode": "merge", "key": ["id"]}
    observed(project, sink, [[1, "1.00"], [2, "2.00"]], merge, {})
    assert observed(project, sink, [[2, "5.00"], [3, "7.00"]], merge, {}).startswith("fail: 12 here, 13 in `out`")
    assert observed(project, sink, [[9, "13.00"]], merge, {"when": "before"}) == "pass: 13 here, 13 in `out`"


def test_of_a_history_the_versions_in_force_count(project: Project, sink: dict[str, Any]) -> None:
    keep, close = ({"mode": "scd2", "key": ["id"], "deleted": what} for what in ("keep", "close"))
    observed(project, sink, [[1, "1.00"], [2, "2.00"]], keep, {})
    assert observed(project, sink, [[2, "5.00"]], keep, {}).startswith("fail: 5 here, 6 in `out`")
    assert observed(project, sink, [[1, "1.00"]], close, {}) == "pass: 1 here, 1 in `out`"
    assert observed(project, sink, [[1, "1.00"], [4, "1.00"]], close, {"when": "before"}).startswith("fail: 2 here, 1 in `out`")


def test_replaced_rows_do_not_count_any_more(project: Project, sink: dict[str, Any]) -> None:
    replace = {"mode": "replace"}
    observed(project, sink, [[1, "1.00"], [2, "2.00"]], replace, {})
    assert observed(project, sink, [[3, "9.00"]], replace, {}) == "pass: 9 here, 9 in `out`"
    assert observed(project, sink, [[3, "8.00"]], replace, {"when": "before"}).startswith("fail: 8 here, 9 in `out`")


def test_before_the_first_publication_there_is_nothing_to_judge(project: Project, sink: dict[str, Any]) -> None:
    seen = observed(project, sink, [[1, "1.00"]], {"mode": "append"}, {"when": "before"})
    assert seen == "skipped: there is nothing yet where `out` publishes"


def test_a_target_that_would_lose_its_rows_is_left_as_it_is(project: Project) -> None:
    """The use of it: a delivery that is much smaller than what was published last must not replace it."""
    check = {"reconcile": {"against": "out", "when": "before", "within_share": "20%"}}
    project.data("in.csv", ["id"], [[n] for n in range(10)])
    project.one(checks=[check]).run()
    project.data("in.csv", ["id"], [[1]])
    with pytest.raises(AuditFailed, match=r"1 here, 10 in `out` \(differ by 9\), expected as in `out` before, within 20 %"):
        project.run()
    assert len(project.published()) == 10


def test_a_target_that_has_the_rows_of_the_run_already_is_not_given_them_twice(project: Project) -> None:
    """A run that died between two sinks: the first has its rows, and the next run compares with it as it is."""
    project.data("in.csv", ["id"], [[1], [2]])
    first = {"name": "first", "sqlite": {"path": "a.sqlite", "table": "t", "mode": "append"}}
    second = {"name": "second", "sqlite": {"path": "b.sqlite", "table": "t", "mode": "append"}}
    project.one(sinks=[first]).run()
    run = project.one(sinks=[first, second], checks=[{"reconcile": {"against": "first"}}]).run()
    assert run.checks[0]["outcome"] == "pass"


@pytest.mark.parametrize(
    ("parts", "check", "message"),
    [
        ({}, {"against": "owt"}, "there is no dataset or sink `owt`"),
        ({}, {"against": "rows", "when": "before"}, "`rows` is a dataset, which has no before"),
        ({"sinks": [{"name": "rows", "file": "out.csv"}]}, {"against": "rows"}, "`rows` is a dataset and a sink"),
    ],
)
def test_what_cannot_be_meant_is_said(project: Project, parts: dict[str, Any], check: dict[str, Any], message: str) -> None:
    project.data("in.csv", ["id"], [[1]])
    with pytest.raises(DefinitionError, match=message):
        project.one(checks=[{"reconcile": check}], **parts).run()


def test_in_a_test_no_target_exists(project: Project) -> None:
    project.data("in.csv", ["id"], [[1]])
    checks = [
        {"name": "later", "reconcile": {"against": "out"}},
        {"name": "earlier", "reconcile": {"against": "out", "when": "before"}},
    ]
    sinks = [{"name": "out", "file": {"path": "out/", "mode": "append"}}]
    project.one(sinks=sinks).run()
    expected = {"checks": {"later": "pass", "earlier": "skipped"}}
    tests = [{"name": "t", "rows": {"rows": [{"id": 1}, {"id": 2}]}, "expect": expected}]
    project.one(sinks=sinks, checks=checks, tests=tests)
    assert project.cli("test", str(project.file)) == 0
