"""Folders such as `month=1` give their column back: in every format, with every value, and only where they mean one."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.integration.runs.project import Project
from tests.integration.sources.reading import read

from headrace.business.model.types import Date, Integer, String
from headrace.errors import NonRetryableError
from headrace.infrastructure.connectors.file_source import FileSource


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def files(folder: Path, **contents: str) -> None:
    for name, text in contents.items():
        path = folder / "in" / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


ROWS = [[1, "a b/c=d", "2024-01-01"], [2, None, "2024-01-02"], [3, "é%=", None], [4, "007", "2024-01-01"]]


@pytest.mark.parametrize("form", ["parquet", "csv", "jsonl", "arrow"])
def test_what_one_pipeline_writes_in_folders_the_next_has_as_columns(form: str, project: Project) -> None:
    project.data("in.csv", ["id", "p", "day"], ROWS)
    contract = {"columns": {"id": "int64", "p": "string", "day": "date"}}
    project.one(contract, sinks=[{"file": {"path": "mid/", "format": form, "partition_by": ["p", "day"]}}]).run()
    plain = {"columns": {"id": {"type": "int64", "at_most": 3}, "p": "string", "day": "date"}}
    run = project.one(plain, path="mid", sinks=[{"name": "out", "file": "out.csv"}]).run()
    wanted = [(str(i), p or "", day or "") for i, p, day in ROWS if int(i) < 4]
    assert sorted((r["id"], r["p"], r["day"]) for r in project.published()) == sorted(wanted)
    (held,) = project.held(run)
    assert {k: str(v) for k, v in held["cells"].items()} == {"id": "4", "p": "007", "day": "2024-01-01"}
    assert "p=007" in held["file"]


def test_the_types_are_by_all_values(tmp_path: Path) -> None:
    files(tmp_path, **{f"n={n}__d=2024-01-0{n}__z=0{n}__a.csv": "x\n1\n" for n in (1, 2)})
    scan = FileSource(path="in").scan(tmp_path)
    assert scan.folders is not None
    assert [c.type for c in scan.folders.columns] == [Integer(64), Date(), String()]
    assert [row[:-1] for row in read(scan).rows] == [("1", "1", "2024-01-01", "01"), ("1", "2", "2024-01-02", "02")]


def test_a_column_of_the_file_counts_and_that_is_told(tmp_path: Path) -> None:
    files(tmp_path, **{"x=5__a.csv": "x\n1\n"})
    scan = FileSource(path="in/*/*.csv").scan(tmp_path)
    assert read(scan).rows == [("1", 0)]
    assert scan.notes == ("`x` is a column and a folder; the column counts",)


@pytest.mark.parametrize("path", ["in", "in/**/*.csv"])
def test_folders_that_differ_mean_nothing_unless_they_must(path: str, tmp_path: Path) -> None:
    files(tmp_path, **{"x=5__a.csv": "a\n1\n", "b.csv": "a\n2\n"})
    assert FileSource(path=path).scan(tmp_path).schema.names == ("a",)
    with pytest.raises(NonRetryableError, match="do not all lie in folders of the same names"):
        FileSource(path=path, partitioned=True).scan(tmp_path)


@pytest.mark.parametrize(("path", "options"), [("in/x=5/a.csv", {}), ("in/x=5", {}), ("in", {"partitioned": False})])
def test_what_was_named_as_a_place_is_no_column(path: str, options: dict[str, Any], tmp_path: Path) -> None:
    files(tmp_path, **{"x=5__a.csv": "a\n1\n"})
    assert FileSource(path=path, **options).scan(tmp_path).schema.names == ("a",)


def test_a_project_in_such_a_folder_is_like_any_other(tmp_path: Path) -> None:
    """The engine would take the folder for a column, over the one of the data."""
    (tmp_path / "a=9").mkdir()
    project = Project(tmp_path / "a=9")
    project.text("in.jsonl", '{"a": "1", "b": 1}\n{"a": "2", "b": "x"}\n')
    project.data("in.csv", ["a", "b"], [[1, 1], [2, "x"]])
    for name in ("in.jsonl", "in.csv"):
        run = project.one(
            {"columns": {"a": "int64", "b": "int64"}}, path=name, sinks=[{"name": "out", "file": "out.csv"}]
        ).run()
        assert project.multiset() == {("1", "1"): 1}
        assert [row["cells"] for row in project.held(run)] == [{"a": "2", "b": "x"}]
    project.one(
        {"columns": {"b": {"type": "int64", "above": 1}}}, path="in.csv", sinks=[{"name": "out", "file": "out.parquet"}]
    ).run()
    project.one(path="out.parquet").run()
    assert project.cli("quarantine", "show", "--project", str(project.folder)) == 0


def test_only_new_folders_are_read_in_increments(project: Project) -> None:
    files(project.folder, **{"m=1__a.csv": "a\n1\n"})
    source = {"rows": {"file": "in", "incremental": {"by": "file"}}}
    project.define(sources=source, sinks=[{"file": {"path": "out.csv", "mode": "append"}}]).run()
    files(project.folder, **{"m=2__a.csv": "a\n2\n"})
    assert project.run().sources["rows"]["read"] == 1
    assert project.multiset() == {("1", "1"): 1, ("2", "2"): 1}


@settings(max_examples=9, deadline=None)
@given(
    st.lists(
        st.one_of(st.none(), st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)),
        min_size=1,
        max_size=15,
    )
)
def test_every_text_comes_back(values: list[str | None]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        project = Project(Path(folder))
        project.text("in.jsonl", "\n".join(json.dumps({"id": i, "p": v}) for i, v in enumerate(values)))
        contract = {"columns": {"id": "int64", "p": "string"}}
        project.one(contract, path="in.jsonl", sinks=[{"file": {"path": "mid/", "partition_by": ["p"]}}]).run()
        project.one(contract, path="mid", sinks=[{"name": "out", "file": "out.jsonl"}]).run()
        rows = [json.loads(line) for line in (project.folder / "out.jsonl").read_text(encoding="utf-8").split("\n") if line]
        assert sorted((row["id"], row["p"]) for row in rows) == list(enumerate(values))
