"""The folder of definitions in service: new versions, broken ones, pipelines that would start each other."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from headrace.bootstrap.serving import definitions_folder

DEFINITION = """
version: 1
pipeline: {name}
description: {about}
sources:
  rows: {{file: {{path: in.csv}}}}
sinks:
  - file: {{path: out.csv}}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "headrace.toml").write_text('definitions = "pipelines"\n')
    (tmp_path / "pipelines").mkdir()
    return tmp_path


class Folder:
    def __init__(self, project: Path) -> None:
        self.lines: list[str] = []
        self.path = project / "pipelines"
        self.folder = definitions_folder(project, self.lines.append)
        self._time = 1_700_000_000

    def write(self, name: str, text: str) -> None:
        file = self.path / name
        file.write_text(text)
        self._time += 1
        os.utime(file, (self._time, self._time))

    def look(self) -> list[str]:
        """What is told of at this look."""
        self.lines.clear()
        self.folder.turn()
        return list(self.lines)


@pytest.fixture
def folder(project: Path) -> Folder:
    return Folder(project)


def test_a_file_comes_into_service_and_a_changed_one_becomes_a_new_version(folder: Folder) -> None:
    folder.write("orders.yaml", DEFINITION.format(name="orders", about="first"))
    folder.write("notes.yaml", "just: notes\n")
    assert len(folder.look()) == 1
    first = folder.folder.kept("orders")
    assert first is not None
    assert folder.look() == []
    folder.write("orders.yaml", DEFINITION.format(name="orders", about="second"))
    assert "in service" in folder.look()[0]
    second = folder.folder.kept("orders")
    assert second is not None
    assert (second.fingerprint != first.fingerprint, "second" in second.text) == (True, True)
    assert folder.folder.records.kept(first.fingerprint) == first, "runs in flight go by the version they began with"
    assert folder.folder.definitions()["orders"].definition.description == "second"


def test_a_broken_version_leaves_the_old_one_in_service_and_says_why(folder: Folder) -> None:
    folder.write("orders.yaml", DEFINITION.format(name="orders", about="good"))
    folder.look()
    folder.write("orders.yaml", DEFINITION.format(name="orders", about="bad").replace("sinks", "sincs"))
    (told,) = folder.look()
    assert "stays in service" in told
    assert "orders.yaml:7:1: unknown key `sincs`" in told
    assert "did you mean `sinks`?" in told
    assert folder.folder.definitions()["orders"].definition.description == "good"
    assert folder.look() == [], "a problem is told once"
    folder.write("orders.yaml", DEFINITION.format(name="orders", about="mended"))
    folder.look()
    assert folder.folder.definitions()["orders"].definition.description == "mended"


def test_a_broken_file_that_never_was_in_service_is_told_of(folder: Folder) -> None:
    folder.write("orders.yaml", "pipeline: orders\nsources: {}\n")
    (told,) = folder.look()
    assert "not fit for service" in told
    assert folder.folder.definitions() == {}


def test_a_file_that_is_gone_takes_its_pipeline_out_of_service(folder: Folder) -> None:
    folder.write("orders.yaml", DEFINITION.format(name="orders", about="x"))
    folder.look()
    (folder.path / "orders.yaml").unlink()
    assert "out of service" in folder.look()[0]
    assert folder.folder.definitions() == {}


def test_two_files_cannot_have_one_pipeline(folder: Folder) -> None:
    folder.write("a.yaml", DEFINITION.format(name="orders", about="a"))
    folder.look()
    folder.write("b.yaml", DEFINITION.format(name="orders", about="b"))
    assert "is that of" in folder.look()[0]
    assert folder.folder.definitions()["orders"].definition.description == "a"


def test_pipelines_that_would_start_each_other_for_ever_are_refused(folder: Folder) -> None:
    triggered = DEFINITION + "triggers: [{{pipeline: {other}}}]\n"
    folder.write("a.yaml", triggered.format(name="a", about="x", other="b"))
    folder.look()
    folder.write("b.yaml", triggered.format(name="b", about="x", other="c"))
    folder.look()
    folder.write("c.yaml", triggered.format(name="c", about="x", other="a"))
    assert "would start itself" in folder.look()[0]
    assert set(folder.folder.definitions()) == {"a", "b"}


def test_another_process_finds_what_is_in_service(folder: Folder, project: Path) -> None:
    folder.write("orders.yaml", DEFINITION.format(name="orders", about="x"))
    folder.look()
    again = Folder(project)
    assert again.look() == []
    assert set(again.folder.definitions()) == {"orders"}
