"""Columns may be called what they like: every name comes through a whole run, with its rules, or is refused with a place."""

from __future__ import annotations

import csv
import io
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.integration.runs.project import Project

from headrace.business.validation.compiled import reserved
from headrace.errors import DefinitionError

#: The names that the engine has of its own somewhere, and those of SQL.
OWN = [
    "_file", "_FILE", "#0", "#1", "#raw", "#file", "#rowid", "rowid", "ROWID", "#r", "#n", "~a", "^a", "a", "~~a", "^^a", "##0", "~_file", "^#0", "##rowid",
    "r", "row", "rule", "file", "rank", "record", "reasons", "raw", "action", "text", "note", "id", "n", "first", "late", "c", "p", "k", "s", "h", "m", "v", "line",
    "select", "from", '"', "'", "a b", "a.b", ";", "--", "$1", "?", "{a}", "%s", "filename", "file_index", "column0", "é", "count", "null", "true", "x" * 70,
]  # fmt: skip
NAMES = st.lists(
    st.sampled_from(OWN) | st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S"]), min_size=1, max_size=6),
    min_size=1,
    max_size=15,
    unique_by=str.lower,
).filter(lambda names: not any(map(reserved, names)))
RESERVED = ["_file", "_FILE", "#0", "#17", "#raw", "#File", "#rowid", "#:raw a"]


def written(names: list[str], form: str) -> str:
    rows = [[1] * len(names), [2] * len(names), [2] * len(names), ["x"] * len(names), [7] + [3] * (len(names) - 1)]
    if form == "jsonl":
        return "".join(json.dumps(dict(zip(names, row, strict=True))) + "\n" for row in rows)
    out = io.StringIO()
    csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows([names, *rows])
    return out.getvalue()


def ran(folder: Path, names: list[str], form: str) -> None:
    """Types, a rule, a key and a reference on every column; the rows that are held back say under which names."""
    project = Project(folder)
    project.text(f"in.{form}", written(names, form))
    columns: dict[str, Any] = {name: {"type": "int64", "at_most": 3} for name in names}
    columns[names[-1]] |= {"unique": True}
    contract = {"columns": columns, "rules": {"self": {"references": f"rows.{names[0]}", "column": [names[0]]}}}
    if any(c in names[0] for c in ".") or not names[0].isidentifier():
        contract.pop("rules")
    sinks = [{"name": "out", "file": "out.jsonl"}, {"name": "db", "duckdb": {"path": "out.duckdb", "table": "t"}}]
    run = project.one(contract, path=f"in.{form}", sinks=sinks).run()
    found = [json.loads(line) for line in (project.folder / "out.jsonl").read_text(encoding="utf-8").split("\n") if line]
    assert found == [dict.fromkeys(names, 1)]
    held = project.held(run)
    assert [row["record"] for row in held] == [2, 3, 4, 5]
    assert [list(row["cells"]) for row in held] == [names] * 4
    assert sorted(held[2]["reasons"]) == sorted(f"{name}.type" for name in names)


@pytest.mark.parametrize("form", ["csv", "jsonl"])
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=NAMES)
@example(names=["#n", "#r", "#00x", "#a"])
@example(names=["a", "~a", "^a", "~~a", "^^a"])
@example(names=["rowid", "##rowid", "#", "##0"])
def test_every_name_comes_through_a_run(form: str, names: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        ran(Path(folder), names, form)


@pytest.mark.parametrize("name", RESERVED)
def test_a_name_of_our_own_is_refused_with_its_place(name: str, tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.data("in.csv", ["a"], [[1]])
    with pytest.raises(DefinitionError) as caught:
        project.one({"columns": {"b": "int64", name: {"type": "int64", "source": "a"}}}).run()
    problem = next(p for p in caught.value.problems if "Headrace's own" in p.message)
    assert f"`{name}`" in problem.message
    assert problem.location is not None
    assert (
        problem.location.line
        == project.file.read_text(encoding="utf-8")
        .split("\n")
        .index(next(line for line in project.file.read_text(encoding="utf-8").split("\n") if name in line))
        + 1
    )


@pytest.mark.parametrize("name", ["#0", "#raw", "#rowid"])
def test_data_with_such_a_name_are_read_under_another(name: str, tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.data("in.csv", [name, "a"], [[1, 1], ["x", 2]])
    with pytest.raises(DefinitionError, match="let the contract give it another one"):
        project.one().run()
    run = project.one({"columns": {"other": {"type": "int64", "source": name}, "a": "int64"}}).run()
    assert project.multiset() == {("1", "1"): 1}
    assert project.held(run)[0]["cells"] == {name: "x", "a": "2"}


def test_the_name_for_the_file_is_given_to_nobody(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.data("in.csv", ["_file"], [[1]])
    project.one({"columns": {"f": {"type": "int64", "source": "_file_2"}}}).run()
    assert project.published() == [{"f": "1"}]
