"""Plugins of a package that was installed with pip: found by their entry points, in commands and in the processes of workers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

HERE = Path(__file__).parent
POINTS = {"sources": "numbers", "steps": "double", "checks": "even", "sinks": "lines"}
DEFINITION = """
version: 1
pipeline: tally
sources:
  numbers: {numbers: 5}
steps:
  - double: n
checks:
  - even: n_twice
sinks:
  - lines: out.jsonl
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package in it, as pip puts it there."""
    folder = tmp_path_factory.mktemp("plugins")
    wheel = folder / "headrace_tally-1.0-py3-none-any.whl"
    about = "headrace_tally-1.0.dist-info"
    points = "\n".join(f"[headrace.{group}]\n{kind} = tally_plugins:{kind.title()}\n" for group, kind in POINTS.items())
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.write(HERE / "tally_plugins.py", "tally_plugins.py")
        archive.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: headrace-tally\nVersion: 1.0\n")
        archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{about}/entry_points.txt", points)
        archive.writestr(f"{about}/RECORD", "")
    site = folder / "site"
    words = ["install", "--quiet", "--no-index", "--no-deps", "--target", str(site), str(wheel)]
    subprocess.run([sys.executable, "-m", "pip", "--disable-pip-version-check", *words], check=True, capture_output=True)
    return site


def headrace(installed: Path, project: Path, *words: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(installed), "NO_COLOR": "1"}
    return subprocess.run(
        [sys.executable, "-m", "headrace", *words],
        cwd=project,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def published(project: Path) -> list[dict[str, int]]:
    return [json.loads(line) for line in (project / "out.jsonl").read_text().splitlines()[1:]]


def test_a_pipeline_of_foreign_parts_runs_from_the_command_line(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "pipeline.yaml").write_text(DEFINITION)
    done = headrace(installed, tmp_path, "run")
    assert done.returncode == 0, done.stderr
    assert published(tmp_path) == [{"n": n, "n_twice": 2 * n} for n in range(5)]


def test_its_options_are_checked_with_their_places(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "pipeline.yaml").write_text(DEFINITION.replace("numbers: 5", "numbers: {bellow: 5}"))
    done = headrace(installed, tmp_path, "validate")
    assert done.returncode == 2
    assert "pipeline.yaml:5:23" in done.stderr
    assert "did you mean `below`?" in done.stderr


def test_what_is_not_installed_is_named(tmp_path: Path) -> None:
    (tmp_path / "pipeline.yaml").write_text(DEFINITION)
    done = headrace(tmp_path, tmp_path, "validate")
    assert done.returncode == 2
    assert "`numbers`" in done.stderr
