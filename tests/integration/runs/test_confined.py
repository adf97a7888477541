"""A run's engine can reach the files of its plan and its own folder, and nothing else, whatever statement comes to it."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from headrace import bootstrap

DEFINITION = "{version: 1, pipeline: p, sources: {a: {file: {path: a.csv}}}, sinks: [{file: {path: out.csv}}]}"


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM read_csv('{outside}')",
        "SELECT * FROM '{outside}'",
        "COPY (SELECT 1) TO '{outside}.copy'",
        "ATTACH '{outside}.db'",
        "INSTALL httpfs",
        "SET enable_external_access = true",
        "SET allowed_directories = ['/']",
        "SET lock_configuration = false",
    ],
)
def test_nothing_outside_of_the_plan_can_be_reached(tmp_path: Path, statement: str) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "a.csv").write_text("x\n1\n")
    (project / "pipeline.yaml").write_text(DEFINITION)
    outside = tmp_path / "secret.csv"
    outside.write_text("x\n1\n")
    loaded = bootstrap.load(project / "pipeline.yaml")
    plan = bootstrap.plan(loaded)
    session = bootstrap.engine(bootstrap.settings(project)).session(plan, project / ".headrace" / "runs" / "r", project)
    try:
        with pytest.raises(duckdb.Error):
            session.con.execute(statement.format(outside=outside))  # type: ignore[attr-defined]
    finally:
        session.close()


def test_the_engine_writes_nothing_to_standard_output(tmp_path: Path) -> None:
    """It would draw a bar there once a statement takes long, amid the JSON of the command."""
    (tmp_path / "a.csv").write_text("x\n1\n")
    (tmp_path / "pipeline.yaml").write_text(DEFINITION)
    loaded = bootstrap.load(tmp_path / "pipeline.yaml")
    session = bootstrap.engine(bootstrap.settings(tmp_path)).session(
        bootstrap.plan(loaded), tmp_path / ".headrace" / "runs" / "r", tmp_path
    )
    try:
        found = session.con.execute("SELECT current_setting('enable_progress_bar_print')").fetchall()  # type: ignore[attr-defined]
    finally:
        session.close()
    assert found == [(False,)]
