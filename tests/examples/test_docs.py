"""What the documentation shows is so: definitions load, Python runs, commands print what stands there, links lead somewhere."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap

import pytest
from tests.examples.pages import PAGES, ROOT, Terminal, blocks, commands, environment, missing

from headrace import bootstrap

HOWTO = ROOT / "docs" / "howto"
TUTORIAL = ROOT / "docs" / "tutorial" / "first-pipeline.md"
PLUGIN = HOWTO / "write-a-plugin.md"

WHOLE = [b for b in blocks("yaml") if re.search(r"^pipeline:", b.text, re.MULTILINE) and b.page != PLUGIN]
RUNNABLE = [b for b in blocks("python") if b.text.startswith("# runnable")]


@pytest.mark.parametrize("block", WHOLE, ids=str)
def test_whole_definitions_load(block, tmp_path, monkeypatch):
    monkeypatch.setenv("LAKE", "out")
    (tmp_path / "pipeline.yaml").write_text(block.text)
    for settings in blocks("toml", pages=[block.page]):
        if settings.file == "headrace.toml":
            (tmp_path / "headrace.toml").write_text(settings.text)
    given = {"day": "2024-03-01"} if "params.day" in block.text else {}
    assert bootstrap.load(tmp_path / "pipeline.yaml", given).definition.sources


def test_there_are_definitions_and_python_to_try():
    assert len(WHOLE) >= 8
    assert RUNNABLE


@pytest.mark.parametrize("block", RUNNABLE, ids=str)
def test_python_runs(block, tmp_path):
    (tmp_path / "flights.csv").write_text("carrier,miles\nUA,719\nAA,80\n")
    done = subprocess.run([sys.executable, "-c", block.text], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("page", "least"),
    [(TUTORIAL, 13), (HOWTO / "runs-and-events.md", 15), (HOWTO / "backfill.md", 5)],
    ids=lambda p: getattr(p, "stem", ""),
)
def test_the_commands_of_a_page_print_what_it_says(page, least, tmp_path):
    terminal, tried = Terminal(tmp_path), 0
    for block in blocks("console", "yaml", pages=[page]):
        if block.language == "yaml":
            if block.file:
                (terminal.folder / block.file).write_text(block.text)
            continue
        for command, expected in commands(block):
            came = terminal.type(command)
            assert missing(expected, came) == [], f"{block}: {command}\n{came}"
            tried += 1
    assert tried >= least


def test_the_run_in_the_readme_is_what_comes(tmp_path):
    terminal = Terminal(tmp_path)
    terminal.type("headrace init shop")
    terminal.type("cd shop")
    came = terminal.type("headrace run")
    (shown,) = [b for b in blocks("text", pages=[ROOT / "README.md"]) if "broke rules" in b.text]
    assert missing(shown.text.splitlines(), came) == [], came


def test_the_plugin_of_the_how_to_works(tmp_path):
    """The package as it would be installed, in a folder on the path: a run with it, and its own tests."""
    for block in blocks("python", "yaml", "toml", pages=[PLUGIN]):
        assert block.file
        (tmp_path / block.file).write_text(block.text)
    installed = tmp_path / "headrace_weblog-1.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: headrace-weblog\nVersion: 1.0\n")
    project = (tmp_path / "pyproject.toml").read_text()
    groups = re.findall(r'\[project\.entry-points\."([\w.]+)"\]\n(\w+) = "([\w:]+)"', project)
    (installed / "entry_points.txt").write_text("".join(f"[{group}]\n{name} = {value}\n" for group, name, value in groups))
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "a.log").write_text("2024-03-01T08:00:00Z /index 200\n2024-03-01T08:00:01Z /index 999\n")
    env = {**environment(), "PYTHONPATH": str(tmp_path)}
    for words, marks in (
        (["headrace", "run", "pipeline.yaml"], ["2 read → 1 good, 1 quarantined", "100.0% of 1 good", "1 inserted"]),
        (["headrace", "run", "pipeline.yaml"], ["1 inserted, 1 deleted"]),
        (["headrace", "schema"], ["weblog", "answers", "How many lines make a batch"]),
        (["pytest", "-q", "-p", "no:randomly", "-p", "no:cacheprovider", "test_weblog.py"], ["3 passed"]),
    ):
        done = subprocess.run(
            [sys.executable, "-m", *words], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert [mark for mark in marks if mark not in done.stdout] == [], done.stdout + done.stderr


def test_the_functions_of_the_python_how_to_work(tmp_path):
    page = [HOWTO / "python-steps.md"]
    for block in blocks("python", pages=page):
        if block.file:
            (tmp_path / block.file).parent.mkdir(exist_ok=True)
            (tmp_path / block.file).write_text(textwrap.dedent(block.text))
    (tmp_path / "flights.csv").write_text("carrier,miles\nUA,719\nAA,80\n")
    for number, block in enumerate(b for b in blocks("yaml", pages=page)):
        file = tmp_path / f"{number}.yaml"
        file.write_text(block.text)
        assert bootstrap.run(bootstrap.load(file)).state == "succeeded"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    links = re.findall(
        r"\]\(([^)#\s]+)(?:#[^)]*)?\)", re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    )
    dead = [link for link in links if not re.match(r"[a-z]+:", link) and not (page.parent / link).exists()]
    assert dead == []


@pytest.mark.parametrize("page", [ROOT / "ARCHITECTURE.md", ROOT / "README.md", ROOT / "CONTRIBUTING.md"], ids=lambda p: p.name)
def test_files_that_are_named_exist(page):
    """A file is named by its path below the package or the project, or alone after its folder has been named."""
    named = set(re.findall(r"`((?:[\w.]+/)*\w+\.(?:py|toml|yaml|md))`", page.read_text(encoding="utf-8")))
    known = {str(p) for folder in ("src", "docs", "examples", "bench") for p in (ROOT / folder).rglob("*.*")}
    known |= {str(p) for p in ROOT.glob("*.*")}
    assert sorted(n for n in named if not any(path.endswith("/" + n) for path in known)) == ["orders.csv"] * (
        "orders.csv" in named
    )
