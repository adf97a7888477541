"""Projects whose `engine: snowflake` works on fakesnow, and one pipeline carried out by it and by duckdb."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.integration.pushdown.both import Came, of
from tests.integration.runs.project import Project
from tests.integration.snowflake_server import SnowflakeServer


def project_at(folder: Path, server: SnowflakeServer, database: str, **more: object) -> Project:
    """A project with the connection `warehouse`, in which its engine works as well."""
    folder.mkdir(parents=True, exist_ok=True)
    profile = {"kind": "snowflake", **server.profile(database), "password": "${secret:env/SNOWFLAKE_PASSWORD}", **more}
    lines = "".join(f"{key} = {json.dumps(value)}\n" for key, value in profile.items())
    (folder / "headrace.toml").write_text(f'[engines.snowflake]\nconnection = "warehouse"\n\n[connections.warehouse]\n{lines}')
    return Project(folder)


def by_both(folder: Path, server: SnowflakeServer, database: str, files: Mapping[str, str], **parts: Any) -> tuple[Came, Came]:
    """What the engines duckdb and snowflake make of the same files. Without sinks, the last dataset goes to Parquet."""
    came = []
    for engine in ("duckdb", "snowflake"):
        project = project_at(folder / engine, server, database)
        for name, content in files.items():
            (project.folder / name).write_text(content)
        sinks = parts.get("sinks") or [{"name": "out", "file": {"path": "out/last/", "format": "parquet"}}]
        project.define(**{**parts, "engine": engine, "sinks": sinks})
        came.append(of(project, project.run()))
    return came[0], came[1]
