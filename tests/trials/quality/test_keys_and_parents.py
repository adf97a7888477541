"""Keys are what they are, by their code points; parents are what they were when they were read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.integration.runs.project import Project

from headrace.errors import RetryableError
from headrace.infrastructure.engines.duckdb.session import DuckDBSession

ALIKE = ["a", "A", "á", "a\u0301", "a ", " a", "a\t", "\u0430", "\uff41", "a\u200b", "ß", "ss", "ẞ"]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_case_accents_blanks_and_look_alikes_are_different_keys(project: Project) -> None:
    project.text("in.jsonl", "".join(json.dumps({"k": k}) + "\n" for k in ALIKE))
    run = project.one({"columns": {"k": {"type": "string", "unique": True}}}, path="in.jsonl").run()
    assert run.sources["rows"]["good"] == len(ALIKE)
    assert run.sources["rows"]["quarantined"] == 0


def test_a_reference_is_kept_by_the_same_characters_only(project: Project) -> None:
    project.data("parents.csv", ["k"], [["a"]])
    project.data("in.csv", ["k"], [[k] for k in ALIKE])
    contract = {"columns": {"k": {"type": "string", "references": "parents.k"}}}
    sources = {"parents": {"file": "parents.csv"}, "rows": {"file": "in.csv", "contract": contract}}
    run = project.define(sources=sources, sinks=[{"from": "rows", "file": "out.csv"}]).run()
    assert project.multiset() == {("a",): 1}
    assert run.sources["rows"]["quarantined"] == len(ALIKE) - 1


@pytest.mark.parametrize("kind", ["file", "duckdb", "sqlite", "postgres"])
@pytest.mark.parametrize("mode", ["merge", "scd2"])
def test_a_merge_takes_them_for_different_keys_too(
    kind: str, mode: str, project: Project, request: pytest.FixtureRequest
) -> None:
    place: dict[str, Any] = {"path": "out/"} if kind == "file" else {"path": f"out.{kind}", "table": "t"}
    if kind == "postgres":
        place = {"url": request.getfixturevalue("postgres"), "table": "t"}
    sinks = [{"name": "out", kind: {**place, "mode": mode, "key": ["k"]}}]
    for value in ("1", "2"):
        project.data("in.csv", ["k", "v"], [[k, value] for k in ALIKE[: 7 + int(value)]])
        run = project.one({"columns": {"k": "string"}}, sinks=sinks).run()
    stored = run.sinks["out"]
    assert (stored["inserted"], stored["updated"], stored["unchanged"]) == (1, 8, 0)


def test_a_parent_that_changes_after_it_was_read_is_what_was_read(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the run does not pass for one that has read the change: the next one takes it in."""
    project.data("parents.csv", ["k"], [["a"]])
    project.data("in.csv", ["k"], [["a"], ["b"]])
    contract = {"columns": {"k": {"type": "string", "references": "parents.k"}}}
    sources = {"parents": {"file": "parents.csv"}, "rows": {"file": "in.csv", "contract": contract}}
    sinks = [
        {"name": "out", "from": "rows", "file": {"path": "out/", "format": "csv", "mode": "append"}},
        {"name": "copy", "from": "parents", "file": {"path": "copy/", "format": "csv", "mode": "append"}},
    ]
    project.define(sources=sources, sinks=sinks)
    ingest = DuckDBSession.ingest

    def ingest_and_change(session: DuckDBSession, source: Any, *args: Any, **options: Any) -> Any:
        found = ingest(session, source, *args, **options)
        if source.name == "parents":
            project.data("parents.csv", ["k"], [["b"], ["c"]])
        return found

    monkeypatch.setattr(DuckDBSession, "ingest", ingest_and_change)
    run = project.run()
    assert project.reasons(run) == {2: ["k.references"]}
    assert project.multiset("copy") == {("a",): 1}
    monkeypatch.undo()
    run = project.run()
    assert project.reasons(run) == {1: ["k.references"]}
    assert project.multiset("copy") == {("a",): 1, ("b",): 1, ("c",): 1}


def test_a_parent_that_changes_before_it_is_read_ends_the_run(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.data("in.csv", ["k"], [["a"]])
    project.one()
    ingest = DuckDBSession.ingest

    def change_and_ingest(session: DuckDBSession, source: Any, *args: Any, **options: Any) -> Any:
        project.data("in.csv", ["k"], [["b"], ["c"]])
        return ingest(session, source, *args, **options)

    monkeypatch.setattr(DuckDBSession, "ingest", change_and_ingest)
    with pytest.raises(RetryableError, match=r"in\.csv.*changed"):
        project.run()
    assert not (project.folder / "out.csv").exists()
