"""One pipeline carried out by both engines, and all that came of it in a form that can be compared. Not what should come."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
from tests.integration.runs.project import Project

from headrace.application.queries.runs import RunView


@dataclass(frozen=True)
class Came:
    """What came of a run: the rows that were published, with their types, and everything that was said of those that were not."""

    rows: Mapping[str, Any]
    held: list[tuple[Any, ...]]
    balances: Mapping[str, Any]
    checks: list[Any]
    examples: Mapping[str, Any]


def engine_of(folder: Path, url: str, **settings: Any) -> Project:
    """A project whose `engine: postgres` works in a database."""
    lines = "".join(f"{key} = {json.dumps(value)}\n" for key, value in settings.items())
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "headrace.toml").write_text(f"[engines.postgres]\nurl = {json.dumps(url)}\n{lines}")
    return Project(folder)


def by_both(folder: Path, url: str, files: Mapping[str, str | bytes], **parts: Any) -> tuple[Came, Came]:
    """What the engines duckdb and postgres make of the same files. Without sinks, the last dataset goes to Parquet."""
    came = []
    for engine in ("duckdb", "postgres"):
        project = engine_of(folder / engine, url)
        for name, content in files.items():
            (project.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (project.folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        sinks = parts.get("sinks") or [{"name": "out", "file": {"path": "out/last/", "format": "parquet"}}]
        project.define(**{**parts, "engine": engine, "sinks": sinks})
        came.append(of(project, project.run()))
    return came[0], came[1]


def of(project: Project, run: RunView) -> Came:
    return Came(
        {place.name: published(place) for place in sorted((project.folder / "out").glob("*"))},
        held(project.folder),
        {
            **{name: [s[k] for k in ("read", "good", "quarantined", "dropped", "filtered")] for name, s in run.sources.items()},
            **{f"step {name}": [s[k] for k in ("inputs", "rows", "filtered", "added")] for name, s in run.steps.items()},
        },
        [(c["check"], c["outcome"], c["observed"]) for c in run.checks],
        {
            name: sorted((e["rule"], e["file"], e["record"], json.dumps(e["cells"]), e["text"]) for e in s["examples"])
            for name, s in run.sources.items()
        },
    )


def published(folder: Path) -> Any:
    """The columns with their types, and the rows in one order."""
    files = sorted(folder.rglob("*.parquet")) if folder.is_dir() else []
    if not files:
        return None
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        read = con.read_parquet([str(f) for f in files])
        columns = list(zip(read.columns, map(str, read.types), strict=True))
        texts = ", ".join(f'CAST("{name}" AS VARCHAR)' for name, _ in columns)
        return columns, sorted(con.sql(f"SELECT {texts} FROM read").fetchall(), key=repr)


def held(folder: Path) -> list[tuple[Any, ...]]:
    """The rows that were held back, without the run that held them."""
    files = [str(f) for f in folder.glob(".headrace/quarantine/*/*/*.parquet")]
    if not files:
        return []
    with duckdb.connect() as con:
        rows = con.execute(
            "SELECT dataset, file, record, reasons, versions, raw, text, note FROM read_parquet(?) ORDER BY ALL", [files]
        ).fetchall()
    return [(*row[:5], json.loads(row[5]) if row[5] else None, *row[6:]) for row in rows]
