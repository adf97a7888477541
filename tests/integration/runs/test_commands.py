"""The command line, from end to end: exit codes, JSON for machines, words for people, and never a traceback for a mistake of theirs."""

from __future__ import annotations

import json
import shutil
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import pytest
import yaml
from tests.integration.runs.project import Project

HOSTILE = "<script>alert(1)</script>&\"'"


@pytest.fixture
def ready(project: Project) -> Project:
    project.data("in.csv", ["a", "b"], [[1, "x"], [2, "y"], ["bad", "z"]])
    return project.one(
        {"columns": {"a": {"type": "int32", "required": True}}},
        steps=[{"filter": "a < 10"}],
        checks=[{"name": "c", "row_count": {"min": 1}}],
        tests=[{"name": "bad numbers", "rows": {"rows": [{"a": "x"}]}, "expect": {"quarantined": [{"reasons": ["a.type"]}]}}],
    )


def test_a_good_run_gives_zero(ready: Project, capsys: pytest.CaptureFixture[str]) -> None:
    assert ready.cli("run", str(ready.file)) == 0
    out = capsys.readouterr().out
    assert "1 quarantined" in out or "quarantin" in out
    assert "quarantine show" in out
    assert ready.cli("run", str(ready.file)) == 0


def test_a_folder_means_its_pipeline(ready: Project) -> None:
    assert ready.cli("run", str(ready.folder), "--quiet") == 0


@pytest.mark.parametrize(
    "command",
    [
        ("validate", "F", "--json"), ("plan", "F", "--json"), ("run", "F", "--json"), ("test", "F", "--json"),
        ("runs", "--project", "P", "--json"), ("show", "latest", "--project", "P", "--json"), ("schema",),
        ("quarantine", "list", "--project", "P", "--json"), ("quarantine", "show", "--project", "P", "--json"),
    ],
)  # fmt: skip
def test_json_is_for_machines(command: tuple[str, ...], ready: Project, capsys: pytest.CaptureFixture[str]) -> None:
    assert ready.cli("run", str(ready.file), "--quiet") == 0
    capsys.readouterr()
    arguments = [{"F": str(ready.file), "P": str(ready.folder)}.get(part, part) for part in command]
    assert ready.cli(*arguments) == 0
    found = json.loads(capsys.readouterr().out)
    assert found


def test_a_plan_says_all_of_it(ready: Project, capsys: pytest.CaptureFixture[str]) -> None:
    assert ready.cli("plan", str(ready.file), "--json") == 0
    plan = json.loads(capsys.readouterr().out)
    assert [node["name"] for node in plan["graph"]] == ["rows", "filter", "out"]
    assert plan["schemas"]["filter"] == [
        {"name": "a", "type": "int32", "nullable": False},
        {"name": "b", "type": "string", "nullable": True},
    ]
    assert [r["rule"] for r in plan["rules"]["rows"]] == ["a.type", "a.required"]
    assert plan["statements"]
    assert not (ready.folder / "out.csv").exists()


def test_a_failed_run_gives_one_and_says_why(ready: Project, capsys: pytest.CaptureFixture[str]) -> None:
    ready.file.write_text(ready.file.read_text().replace("min: 1", "min: 100"))
    assert ready.cli("run", str(ready.file)) == 1
    err = capsys.readouterr().err
    assert "c: " in err
    assert "nothing was published" in err
    assert ready.cli("run", str(ready.file), "--json") == 1
    assert json.loads(capsys.readouterr().out)["state"] == "failed"


def test_a_failed_test_gives_one(ready: Project, capsys: pytest.CaptureFixture[str]) -> None:
    assert ready.cli("test", str(ready.file)) == 0
    assert "1 passed, 0 failed" in capsys.readouterr().out
    ready.file.write_text(ready.file.read_text().replace("- a.type", "- a.required"))
    assert ready.cli("test", str(ready.file)) == 1
    assert "no row like" in capsys.readouterr().out
    assert not (ready.folder / "out.csv").exists()


MISTAKES = {
    "no such file": ("run", "nowhere.yaml"),
    "bad parameter": ("run", "F", "--param", "novalue"),
    "unknown parameter": ("run", "F", "--param", "strange=1"),
    "unknown option": ("run", "F", "--strange"),
    "unknown command": ("strange",),
    "unknown run": ("show", "strange", "--project", "P"),
    "nothing held": ("quarantine", "show", "--project", "P"),
    "no such export": ("quarantine", "replay", "F", "--from", "nowhere.csv"),
    "unknown picture": ("show", "latest", "--project", "P", "--out", "x.png"),
    "no file to infer from": ("contract", "infer", "nowhere.csv"),
    "no document to import": ("contract", "import", "nowhere.yaml"),
    "unknown dataset to export": ("contract", "export", "F", "--dataset", "strange"),
}


@pytest.mark.parametrize("mistake", list(MISTAKES))
def test_bad_usage_gives_two_and_no_traceback(mistake: str, ready: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.chdir(ready.folder)
    arguments = [{"F": str(ready.file), "P": str(ready.folder)}.get(part, part) for part in MISTAKES[mistake]]
    assert ready.cli(*arguments) == 2
    err = capsys.readouterr().err
    assert err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    "text",
    ["", "][", "version: 1", "a: [1", "pipeline: p\nsources: 3", "\0", "- 1", "pipeline: p\nsources: {a: {file: in.csv, strange: 1}}", "é: &a *b"],
)  # fmt: skip
def test_a_bad_definition_gives_two_and_its_place(text: str, ready: Project, capsys: pytest.CaptureFixture[str]) -> None:
    ready.file.write_text(text)
    for command in ("validate", "run", "plan", "test"):
        assert ready.cli(command, str(ready.file)) == 2, command
        assert "pipeline.yaml" in capsys.readouterr().err
    assert ready.cli("validate", str(ready.file), "--json") == 2
    told = json.loads(capsys.readouterr().out)
    assert told["valid"] is False
    assert told["problems"]


def test_bytes_that_are_no_text(ready: Project, capsys: pytest.CaptureFixture[str]) -> None:
    ready.file.write_bytes(b"pipeline: \xff\xfe")
    assert ready.cli("run", str(ready.file)) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_missing_data_are_told_at_their_place(ready: Project, capsys: pytest.CaptureFixture[str]) -> None:
    (ready.folder / "in.csv").unlink()
    assert ready.cli("run", str(ready.file)) == 2
    err = capsys.readouterr().err
    assert "in.csv" in err
    assert "pipeline.yaml:" in err


@pytest.mark.parametrize("command", [("runs",), ("show", "latest"), ("quarantine", "list")])
def test_a_corrupt_log_is_told(command: tuple[str, ...], ready: Project, capsys: pytest.CaptureFixture[str]) -> None:
    log = ready.folder / ".headrace" / "headrace.db"
    log.parent.mkdir(exist_ok=True)
    log.write_bytes(b"this is no database, " * 100)
    assert ready.cli(*command, "--project", str(ready.folder)) == 1
    assert "headrace.db" in capsys.readouterr().err
    assert ready.cli("run", str(ready.file)) == 1
    assert "headrace.db" in capsys.readouterr().err


def test_a_state_folder_that_is_a_file_is_told(ready: Project, capsys: pytest.CaptureFixture[str]) -> None:
    ready.text(".headrace", "in the way")
    assert ready.cli("run", str(ready.file)) in (1, 2)
    err = capsys.readouterr().err
    assert ".headrace" in err
    assert "Traceback" not in err


def test_quarantine_whose_file_is_gone_is_told(ready: Project, capsys: pytest.CaptureFixture[str]) -> None:
    assert ready.cli("run", str(ready.file), "--quiet") == 0
    shutil.rmtree(ready.folder / ".headrace" / "quarantine")
    capsys.readouterr()
    assert ready.cli("quarantine", "show", "--project", str(ready.folder)) in (1, 2)
    assert "Traceback" not in capsys.readouterr().err


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.scripts: list[str] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "script" or any(name.startswith("on") for name, _ in attrs):
            self.scripts.append(tag)

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_graphs_are_well_formed_and_hostile_names_are_only_text(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    project.data(f"in {HOSTILE.replace('/', '')}.csv", [HOSTILE, "b"], [[1, HOSTILE], ["x", "y"]])
    project.one(
        {"columns": {HOSTILE: "int32"}, "rules": {f"rule {HOSTILE}": "b <> 'z'"}},
        path="in *.csv",
        sinks=[{"name": "out", "duckdb": {"path": "<b>out</b>.duckdb", "table": "t"}}],
    )
    assert project.cli("run", str(project.file), "--quiet") == 0, capsys.readouterr().err
    svg, html = project.folder / "x.svg", project.folder / "x.html"
    assert project.cli("show", "latest", "--project", str(project.folder), "--out", str(svg)) == 0
    root = ET.fromstring(svg.read_text())
    assert root.tag.endswith("svg")
    assert not [e for e in root.iter() if e.tag.endswith("script")]
    assert project.cli("show", "latest", "--project", str(project.folder), "--out", str(html)) == 0
    tags = Tags()
    tags.feed(html.read_text())
    assert "script" not in tags.scripts
    assert HOSTILE in "".join(tags.words)


def test_the_next_three_ticks_are_shown(ready: Project, capsys: pytest.CaptureFixture[str]) -> None:
    definition = ready.file.read_text()
    ready.file.write_text(
        f'{definition}schedule: {{cron: "0 6 29 2 *", timezone: Europe/Berlin, start: 2096-01-01}}\ntriggers: [{{pipeline: orders}}]\n'
    )
    expected = ["2096-02-29T05:00:00+00:00", "2104-02-29T05:00:00+00:00", "2108-02-29T05:00:00+00:00"]
    for command in ("validate", "plan"):
        assert ready.cli(command, str(ready.file), "--json") == 0
        assert json.loads(capsys.readouterr().out)["next_ticks"] == expected
        assert ready.cli(command, str(ready.file)) == 0
        out = capsys.readouterr().out
        assert "2096-02-29 06:00:00 (05:00:00 UTC), 2104-02-29 06:00:00" in out
    assert "cron 0 6 29 2 *, Europe/Berlin" in out
    assert "when orders has published" in out
    ready.file.write_text(f"{definition}schedule: {{every: 1 day, end: 2001-01-01}}\n")
    for command in ("validate", "plan"):
        assert ready.cli(command, str(ready.file)) == 0
        assert "the schedule is over" in capsys.readouterr().out
    ready.file.write_text(definition)
    assert ready.cli("plan", str(ready.file)) == 0
    assert "Runs by itself" not in capsys.readouterr().out


def test_an_exported_contract_has_the_types_of_the_data_where_it_leaves_them_open(project: Project) -> None:
    project.data("in.csv", ["n", "day", "s"], [[1, "2024-01-01", "x"]])
    project.one({"columns": {"n": {"required": True}, "day": {}, "s": {"type": "string"}, "gone": {}}})
    out = project.folder / "out.yaml"
    assert project.cli("contract", "export", str(project.file), "--out", str(out)) == 0
    properties = yaml.safe_load(out.read_text())["schema"][0]["properties"]
    assert [p.get("physicalType") for p in properties] == ["int64", "date", "string", None]
    assert "null" not in out.read_text()
