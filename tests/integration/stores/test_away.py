"""A store that is down is a matter of the world: commands that look at it fail as a run does, and do not call the definition wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.integration.runs.project import Project

from headrace.infrastructure.connectors.stores import store
from headrace.resilience.backoff import RetryPolicy

NOBODY = "127.0.0.1:1"
SETTINGS = f"""
[connections.lake]
kind = "s3"
endpoint = "http://{NOBODY}"
access_key = "me"
secret_key = "hush"
[connections.ssh]
kind = "sftp"
host = "{NOBODY}"
user = "me"
"""


@pytest.mark.parametrize(
    "source",
    [
        {"file": {"path": "s3://lake/a.csv", "connection": "lake"}},
        {"file": {"path": f"sftp://{NOBODY}/a.csv", "connection": "ssh"}},
        {"file": f"http://{NOBODY}/a.csv"},
        {"file": f"webhdfs://{NOBODY}/a.csv"},
        {"file": f"hdfs://{NOBODY}/a.csv"},
        {"http": f"http://{NOBODY}/items"},
        {"mysql": {"url": f"mysql://me@{NOBODY}/d", "table": "t"}},
    ],
    ids=["s3", "sftp", "web", "webhdfs", "hdfs", "api", "mysql"],
)
def test_a_store_that_is_down_fails_the_command_and_names_the_place(
    source: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(store.patiently, "__defaults__", (RetryPolicy(attempts=1),))
    project = Project(tmp_path)
    project.text("headrace.toml", SETTINGS)
    project.define(sources={"t": source}, sinks=[{"name": "out", "file": "out.csv"}], retry={"attempts": 1})
    for command in ("plan", "validate", "run"):
        assert project.cli(command, str(project.file)) == 1, command
        said = "".join(capfd.readouterr())
        assert f"{project.file.name}:" in said
        assert "refused" in said
        assert "hush" not in said
