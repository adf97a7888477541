"""Several sources that come as Arrow in one run: reading one must leave nothing open that keeps another from being read."""

from __future__ import annotations

from pathlib import Path

from headrace import bootstrap

ROWS = """
def people():
    yield [{"id": 1, "name": "Ada"}, {"id": 2, "name": "Grace"}]

def scores():
    yield [{"id": 1, "score": 1.5}]
"""

DEFINITION = """
version: 1
pipeline: two
sources:
  people: {python: {call: "rows.py:people"}, contract: {columns: {id: {unique: true}}}}
  scores: {python: {call: "rows.py:scores"}}
steps: [{name: joined, from: people, join: {with: scores, on: [id], how: left}}]
sinks: [{file: {path: out.csv}}]
"""


def test_two_python_sources_are_read_and_joined(tmp_path: Path) -> None:
    (tmp_path / "rows.py").write_text(ROWS)
    (tmp_path / "pipeline.yaml").write_text(DEFINITION)
    run = bootstrap.run(bootstrap.load(tmp_path / "pipeline.yaml"))
    assert run.state == "succeeded"
    assert sorted((tmp_path / "out.csv").read_text().splitlines()[1:]) == ["1,Ada,1.5", "2,Grace,"]


def test_the_plan_says_when_appending_would_repeat_rows(tmp_path: Path) -> None:
    """Nothing tells what a function yields today from what it yielded yesterday."""
    (tmp_path / "rows.py").write_text(ROWS)
    (tmp_path / "pipeline.yaml").write_text(
        "{version: 1, pipeline: p, sources: {a: {python: {call: 'rows.py:people'}}},"
        " sinks: [{sqlite: {path: out.db, table: t, mode: append}}]}"
    )
    (note,) = bootstrap.plan(bootstrap.load(tmp_path / "pipeline.yaml")).notes
    assert "each run appends its rows to sqlite again" in note
