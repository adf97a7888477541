"""`headrace plan --engine`: what another engine would run, or why it cannot."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.integration.pushdown.both import engine_of


@pytest.fixture
def parts() -> dict:
    return {
        "sources": {"rows": {"file": {"path": "rows.csv"}}},
        "steps": [{"filter": "x > 1"}],
        "sinks": [{"name": "out", "file": {"path": "out/"}}],
    }


def test_it_shows_the_sql_of_the_engine_that_is_asked_for(tmp_path: Path, postgres: str, parts: dict, capsys) -> None:
    project = engine_of(tmp_path, postgres)
    (project.folder / "rows.csv").write_text("x\n1\n2\n")
    project.define(**parts)
    shown = {}
    for engine in ("duckdb", "postgres"):
        assert project.cli("plan", str(project.file), "--engine", engine, "--json") == 0
        shown[engine] = json.loads(capsys.readouterr().out)
    assert {name: plan["engine"] for name, plan in shown.items()} == {"duckdb": "duckdb", "postgres": "postgres"}
    sql = {name: "\n".join(s["sql"] for s in plan["statements"]) for name, plan in shown.items()}
    assert "TRY_CAST" in sql["duckdb"]
    assert "TRY_CAST" not in sql["postgres"]
    assert "pg_temp.read_integer" in sql["postgres"]
    assert shown["duckdb"]["schemas"] == shown["postgres"]["schemas"]


def test_it_says_why_an_engine_cannot(tmp_path: Path, postgres: str, parts: dict, capsys) -> None:
    project = engine_of(tmp_path, postgres)
    (project.folder / "rows.csv").write_text("x\n1\n2\n")
    project.define(**{**parts, "steps": [{"derive": {"pairs": "[[x, 1], [2, x]]"}}]})
    assert project.cli("plan", str(project.file), "--engine", "duckdb") == 0
    assert project.cli("plan", str(project.file), "--engine", "postgres") == 2
    assert "a list of lists has to be a rectangle in PostgreSQL" in capsys.readouterr().err
    assert project.cli("plan", str(project.file), "--engine", "postgress") == 2
    assert "did you mean `postgres`?" in capsys.readouterr().err
