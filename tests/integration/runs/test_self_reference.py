"""A dataset that refers to itself: a row counts as a parent only if nothing holds it back, its own parent included."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.integration.runs.project import Project

CONTRACT: dict[str, Any] = {
    "columns": {"id": {"type": "int64", "required": True, "unique": True}, "boss": {"type": "int64", "references": "rows.id"}}
}


def reasons(project: Project, rows: list[Any], contract: dict[str, Any] = CONTRACT) -> dict[int, list[str]]:
    project.data("in.csv", ["id", "boss"], rows)
    return project.reasons(project.one(contract).run(force=True))


def test_who_is_below_a_row_that_is_held_back_is_held_back(project: Project) -> None:
    held = reasons(project, [[1, None], [2, 99], [3, 2], [4, 3], [5, 1]])
    assert held == {n: ["boss.references"] for n in (2, 3, 4)}


def test_so_it_is_below_a_key_that_repeats(project: Project) -> None:
    held = reasons(project, [[1, None], [1, None], [2, 1], [3, 2], [4, None]])
    assert held == {1: ["id.unique"], 2: ["id.unique"], 3: ["boss.references"], 4: ["boss.references"]}


def test_rows_that_refer_to_each_other_in_a_circle_are_good(project: Project) -> None:
    assert reasons(project, [[1, 2], [2, 3], [3, 1], [4, 4]]) == {}


def test_a_warning_holds_nobody_back(project: Project) -> None:
    warn = {
        "columns": {**CONTRACT["columns"], "boss": {"type": "int64", "references": {"is": "rows.id", "on_violation": "warn"}}}
    }
    assert reasons(project, [[1, 99], [2, 1]], warn) == {}


def test_a_column_called_rowid(project: Project) -> None:
    project.data("in.csv", ["rowid", "up"], [[10, None], [11, 10], [12, 0]])
    run = project.one({"columns": {"rowid": "int64", "up": {"type": "int64", "references": "rows.rowid"}}}).run()
    assert project.reasons(run) == {3: ["up.references"]}


ROWS = st.lists(st.tuples(st.integers(0, 6), st.none() | st.integers(0, 6)), max_size=10)


@settings(max_examples=16, deadline=None)
@given(ROWS)
def test_it_is_what_goes_on_until_nothing_changes(rows: list[tuple[int, int | None]]) -> None:
    import tempfile
    from pathlib import Path

    ids = [i for i, _ in rows]
    good = {n for n, (i, _) in enumerate(rows) if ids.count(i) == 1}
    while lost := {n for n in good if rows[n][1] is not None and rows[n][1] not in {rows[m][0] for m in good}}:
        good -= lost
    with tempfile.TemporaryDirectory() as folder:
        held = reasons(Project(Path(folder)), [list(row) for row in rows])
    assert {n - 1 for n in held} == set(range(len(rows))) - good


@pytest.fixture
def project(tmp_path: Any) -> Project:
    return Project(tmp_path)
