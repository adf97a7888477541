"""Rows that were held back go through again, each published once, whatever is killed when."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tests.integration.runs.project import Project, query

from headrace.application.queries.quarantine import find_held, held_rows
from headrace.errors import UsageError

ROWS = [[1, "a"], [2, "b"], [77, "c"], [88, "d"], ["x", "e"]]


def define(project: Project, high: int, *, mode: str = "append", column: str = "id", **parts: Any) -> None:
    key = {"key": [column]} if mode == "merge" else {}
    project.one(
        {"columns": {"id": {"type": "int32", "at_most": high}}},
        **{
            "sinks": [
                {"name": "one", "duckdb": {"path": "one.duckdb", "table": "t", "mode": mode, **key}},
                {"name": "two", "duckdb": {"path": "two.duckdb", "table": "t", "mode": mode, **key}},
            ],
            **parts,
        },
    )


def rows_of(project: Project, name: str = "one") -> Counter[tuple[Any, ...]]:
    return Counter(query(project.folder / f"{name}.duckdb", "SELECT * FROM t"))


def started(project: Project, mode: str = "append") -> Project:
    project.data("in.csv", ["id", "v"], ROWS)
    define(project, 10, mode=mode)
    project.run()
    return project


def both(project: Project, expected: set[tuple[Any, ...]]) -> None:
    assert rows_of(project, "one") == Counter(expected)
    assert rows_of(project, "two") == Counter(expected)


@pytest.mark.parametrize("mode", ["append", "merge"])
def test_after_the_rule_was_mended_each_row_goes_through_once(project: Project, mode: str) -> None:
    started(project, mode)
    first = project.store and find_held(project.store, "latest", None).run_id
    define(project, 80, mode=mode)
    run = project.replay()
    assert (run.sources["rows"]["good"], run.sources["rows"]["quarantined"]) == (1, 2)
    both(project, {(1, "a"), (2, "b"), (77, "c")})
    assert {h.run_id: (h.state, h.open_rows) for h in held_rows(project.store)} == {first: ("replayed", 0), run.id: ("open", 2)}
    define(project, 99, mode=mode)
    project.replay()
    both(project, {(1, "a"), (2, "b"), (77, "c"), (88, "d")})
    assert [h.open_rows for h in held_rows(project.store)] == [1, 0, 0]


def test_an_export_keeps_its_own_columns_apart_from_those_of_the_data(project: Project) -> None:
    started(project)
    export = project.folder / "held.csv"
    assert project.cli("quarantine", "export", str(export), "--project", str(project.folder)) == 0
    with export.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["held_record"], row["held_reasons"], row["id"], row["v"]) for row in rows] == [
        ("3", "id.at_most", "77", "c"), ("4", "id.at_most", "88", "d"), ("5", "id.type", "x", "e")
    ]  # fmt: skip


def export_and_mend(project: Project, change: dict[str, str], keep: int = 99) -> Path:
    export = project.folder / f"held{keep}.csv"
    assert project.cli("quarantine", "export", str(export), "--project", str(project.folder)) == 0
    with export.open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row["number"] = change.get(row["number"], row["number"])
    with export.open("w", newline="") as file:
        out = csv.DictWriter(file, list(rows[0]))
        out.writeheader()
        out.writerows(rows[:keep])
    return export


def numbered(project: Project, mode: str = "append", rows: list[list[Any]] | None = None) -> Project:
    project.data("in.csv", ["number", "v"], ROWS if rows is None else rows)
    define(project, 10, mode=mode, column="number")
    written = project.file.read_text().replace("id:", "number:")
    project.file.write_text(written)
    project.run()
    return project


@pytest.mark.parametrize("mode", ["append", "merge"])
def test_mended_data_go_through_once(project: Project, mode: str) -> None:
    numbered(project, mode)
    export = export_and_mend(project, {"77": "7", "88": "8"})
    assert project.cli("quarantine", "replay", str(project.file), "--from", str(export)) == 0
    both(project, {(1, "a"), (2, "b"), (7, "c"), (8, "d")})
    assert [h.open_rows for h in held_rows(project.store)] == [1, 0], "what is still wrong is held back by the replay now"


def test_part_of_an_export_leaves_the_rest_open(project: Project) -> None:
    numbered(project)
    project.replay(export_and_mend(project, {"77": "7"}, keep=1))
    assert [(h.open_rows) for h in held_rows(project.store)] == [2]
    with pytest.raises(UsageError, match="not open in this quarantine"):
        project.replay(project.folder / "held1.csv")
    both(project, {(1, "a"), (2, "b"), (7, "c")})


def dying(project: Project, point: str, mended: Path | None = None) -> None:
    """A replay whose process is killed at a point."""
    words = ["quarantine", "replay", str(project.file), *(["--from", str(mended)] if mended else [])]
    done = subprocess.run(
        [sys.executable, "-m", "headrace", *words],
        env={**os.environ, "HEADRACE_FAILPOINTS": point},
        capture_output=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr


@pytest.mark.parametrize("point", ["pipeline.completed", "data.stored@2", "data.stored"])
def test_a_replay_that_was_killed_is_not_taken_twice(project: Project, point: str) -> None:
    started(project)
    define(project, 80)
    dying(project, point)
    try:
        project.replay()
    except UsageError:
        assert point != "data.stored", "a half-published replay is carried to its end"
    both(project, {(1, "a"), (2, "b"), (77, "c")})
    assert sum(h.open_rows for h in held_rows(project.store)) == 2, "rows that broke a rule again are still held back, once"
    define(project, 99)
    project.replay()
    both(project, {(1, "a"), (2, "b"), (77, "c"), (88, "d")})


def test_a_half_published_replay_cannot_go_on_with_other_rows(project: Project) -> None:
    numbered(project)
    dying(project, "data.stored", export_and_mend(project, {"77": "7"}, keep=1))
    with pytest.raises(UsageError, match="half"):
        project.replay(export_and_mend(project, {"77": "8"}, keep=2))
    project.replay(project.folder / "held1.csv")
    both(project, {(1, "a"), (2, "b"), (7, "c")})


def test_where_targets_are_built_anew_the_whole_run_is_repeated(project: Project) -> None:
    started(project, "replace")
    define(project, 80, mode="replace")
    run = project.replay()
    assert run.sources["rows"]["read"] == 5
    both(project, {(1, "a"), (2, "b"), (77, "c")})
    assert {h.state for h in held_rows(project.store)} == {"open", "replaced"}


def test_refusals_say_why(project: Project) -> None:
    numbered(project)
    project.text("strange.csv", "number\n1\n")
    with pytest.raises(UsageError, match="no column `held_id`"):
        project.replay(project.folder / "strange.csv")
    with pytest.raises(UsageError, match="held nothing back"):
        project.replay(run_id="nothing")
    with pytest.raises(UsageError, match="nothing of `row` is held back"):
        project.replay(dataset="row")
    define(project, 10, column="number", steps=[{"clean": {"dedupe": {"key": ["v"]}}}])
    project.file.write_text(project.file.read_text().replace("id:", "number:"))
    with pytest.raises(UsageError, match="needs all rows beside each other"):
        project.replay()


def test_single_rows_never_go_where_a_target_is_built_anew(project: Project) -> None:
    sinks = [
        {"name": "one", "duckdb": {"path": "one.duckdb", "table": "t", "mode": "append"}},
        {"name": "two", "duckdb": {"path": "two.duckdb", "table": "t"}},
    ]
    project.data("in.csv", ["id", "v"], ROWS)
    define(project, 10, sinks=sinks)
    project.run()
    define(project, 80, sinks=sinks)
    with pytest.raises(UsageError, match="two anew"):
        project.replay()
    both(project, {(1, "a"), (2, "b")})


def test_mended_rows_would_be_lost_where_targets_are_built_anew(project: Project) -> None:
    numbered(project, "replace")
    with pytest.raises(UsageError, match="would be lost again"):
        project.replay(export_and_mend(project, {}))


def test_formulas_are_escaped_in_an_export_and_come_back_as_they_were(project: Project) -> None:
    cells = ["=1+1", "+cmd|x", "-2+3", "@SUM(A1)", "'=kept", "-5", "+1.5e3", "\ttab", "plain"]
    numbered(project, rows=[[99, cell] for cell in cells])
    export = export_and_mend(project, {"99": "9"})
    with export.open(newline="") as file:
        shown = [row["v"] for row in csv.DictReader(file)]
    assert not [cell for cell in shown if cell[:1] in "=@\t" or cell in ("+cmd|x", "-2+3")]
    assert {"-5", "+1.5e3"} < set(shown)
    project.replay(export)
    assert rows_of(project) == Counter({(9, cell): 1 for cell in cells})


def test_held_rows_are_told_by_the_command_line(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    import json

    started(project)
    where = ("--project", str(project.folder))
    assert project.cli("quarantine", "list", *where, "--json") == 0
    listed = json.loads(capsys.readouterr().out)
    assert [(h["dataset"], h["rows"], h["open"], h["state"]) for h in listed] == [("rows", 3, 3, "open")]
    assert listed[0]["reasons"] == {"id.at_most": 2, "id.type": 1}
    assert project.cli("quarantine", "show", *where, "--json", "--reason", "id.type") == 0
    shown = json.loads(capsys.readouterr().out)
    assert [(r["record"], r["raw"], r["reasons"]) for r in shown] == [(5, {"id": "x", "v": "e"}, ["id.type"])]
    assert project.cli("quarantine", "show", *where) == 0
    assert "record 3" in capsys.readouterr().out
    assert project.cli("quarantine", "list", *where) == 0
    assert "id.at_most 2" in capsys.readouterr().out
