"""Steps from end to end: what comes out, and that the rows on every edge of the graph balance."""

from __future__ import annotations

from typing import Any

import pytest
from tests.integration.runs.project import Project

from headrace.errors import NonRetryableError


def steps(project: Project, *written: dict[str, Any]) -> Any:
    project.data(
        "in.csv", ["id", "g", "v"], [[1, "a", 10], [2, "a", 20], [2, "a", 20], [3, "b", 30], [4, None, -5], ["x", "b", 1]]
    )
    project.data("names.csv", ["g", "name"], [["a", "first"], ["b", "second"], ["c", "none"]])
    project.define(
        sources={
            "rows": {"file": "in.csv", "contract": {"columns": {"id": "int32", "v": "int32"}}},
            "names": {"file": "names.csv"},
        },
        steps=[{"from": "rows", **written[0]}, *written[1:]],
        sinks=[{"name": "out", "file": "out.csv"}],
    )
    return project.run()


def test_filtered_and_repeated_rows_are_counted(project: Project) -> None:
    run = steps(project, {"filter": "v > 0"}, {"name": "once", "clean": {"dedupe": {"key": ["id"], "order_by": "v"}}})
    assert {n: (s["inputs"], s["rows"], s["filtered"], s["added"]) for n, s in run.steps.items()} == {
        "filter": ({"rows": 5}, 4, 1, 0), "once": ({"filter": 4}, 3, 1, 0)
    }  # fmt: skip
    assert run.read == 6 + 3
    assert run.sources["rows"]["good"] + run.quarantined == 6


def test_joins_and_aggregates_are_counted(project: Project) -> None:
    run = steps(
        project,
        {"name": "joined", "sql": "select r.*, n.name from rows r left join names n on n.g = r.g"},
        {"name": "sums", "aggregate": {"by": ["name"], "measures": {"n": "count(*)", "total": "sum(v)"}}},
    )
    assert run.steps["joined"]["inputs"] == {"rows": 5, "names": 3}
    assert (run.steps["joined"]["rows"], run.steps["sums"]["inputs"], run.steps["sums"]["rows"]) == (5, {"joined": 5}, 3)
    assert project.multiset() == {("first", "3", "50"): 1, ("second", "1", "30"): 1, ("", "1", "-5"): 1}


def test_a_sql_step_may_use_all_that_stands_above_it(project: Project) -> None:
    steps(
        project,
        {"name": "big", "filter": "v >= 20"},
        {"name": "last", "sql": "select g, max(v) as top from big group by g having count(*) > 1"},
    )
    assert project.published() == [{"g": "a", "top": "20"}]


def python(project: Project, body: str) -> Any:
    project.text("functions.py", "import pyarrow as pa\nimport pyarrow.compute as pc\n\n\ndef change(table):\n" + body)
    return steps(project, {"python": {"call": "functions.py:change", "schema": {"id": "int32", "double": "int64"}}})


def test_a_python_step(project: Project) -> None:
    run = python(project, "    return pa.table({'id': table['id'], 'double': pc.multiply(table['v'], 2)})\n")
    assert project.multiset() == {("1", "20"): 1, ("2", "40"): 2, ("3", "60"): 1, ("4", "-10"): 1}
    assert run.steps["python"]["rows"] == 5


@pytest.mark.parametrize(
    ("body", "told"),
    [("    return 1 / 0\n", "ZeroDivisionError"), ("    return pa.table({'id': ['x'], 'double': [1]})\n", "declared schema")],
)
def test_a_python_step_that_goes_wrong_publishes_nothing(body: str, told: str, project: Project) -> None:
    with pytest.raises(NonRetryableError, match=told):
        python(project, body)
    assert not (project.folder / "out.csv").exists()
