"""The quarantine has its bounds: what is too old goes and is still counted, what is too much ends the run before anything is published."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from tests.integration.runs.project import Project

from headrace.application.queries.quarantine import held_rows
from headrace.errors import DefinitionError, NonRetryableError, UsageError
from headrace.settings import in_bytes


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def define(project: Project, settings: str, rows: int = 100) -> Project:
    project.text("headrace.toml", settings)
    project.data("in.csv", ["a"], [[1], *([f"bad {n} of them"] for n in range(rows))])
    return project.one({"columns": {"a": "int64"}}, sinks=[{"name": "out", "file": {"path": "out/", "mode": "append"}}])


def test_a_run_that_would_hold_back_too_much_fails_and_publishes_nothing(project: Project) -> None:
    define(project, 'quarantine_max = "1kB"')
    with pytest.raises(NonRetryableError, match=r"the quarantine has [\d,]+ bytes .* may have 1,000; nothing was published"):
        project.run()
    assert not (project.folder / "out").exists()
    (held,) = held_rows(project.store)
    assert (held.rows, held.path.exists()) == (100, True)
    define(project, 'quarantine_max = "1MB"')
    assert project.run().sources["rows"]["quarantined"] == 100


def test_the_cap_is_of_all_that_is_held_and_asks_nothing_of_runs_that_hold_nothing_back(project: Project) -> None:
    define(project, "").run()
    size = sum(f.stat().st_size for f in (project.folder / ".headrace/quarantine").rglob("*.parquet"))
    define(project, f'quarantine_max = "{size + size // 2}B"', rows=101)
    with pytest.raises(NonRetryableError, match="nothing was published"):
        project.run()
    assert define(project, 'quarantine_max = "1B"', rows=0).run().state == "succeeded"


def test_what_is_too_old_goes_and_is_still_counted_with_an_example(project: Project) -> None:
    first = define(project, "quarantine_days = 30").run()
    (held,) = held_rows(project.store)
    for days, kept in ((29, True), (31, False)):
        past = time.time() - days * 86_400
        os.utime(held.path, (past, past))
        project.data("in.csv", ["a"], [[days]])
        project.run()
        assert held.path.exists() == kept
    (held,) = held_rows(project.store)
    assert (held.state, held.rows, held.open_rows, held.reasons) == ("expired", 100, 0, {"a.type": 100})
    assert first.sources["rows"]["examples"][0]["cells"] == {"a": "bad 0 of them"}
    with pytest.raises(UsageError):
        project.replay(run_id=first.id)


def test_without_settings_everything_is_kept(project: Project) -> None:
    define(project, "").run()
    (held,) = held_rows(project.store)
    os.utime(held.path, (0, 0))
    project.data("in.csv", ["a"], [[5]])
    project.run()
    assert held.path.exists()


@pytest.mark.parametrize(
    ("written", "size"), [("1B", 1), ("2kB", 2_000), ("1.5MB", 1_500_000), ("1GiB", 1 << 30), ("2TB", 2 * 10**12)]
)
def test_sizes(written: str, size: int) -> None:
    assert in_bytes(written.replace("k", "K")) == size


@pytest.mark.parametrize(
    "settings", ["quarantine_days = 0", "quarantine_days = -1", 'quarantine_max = "much"', 'quarantine_max = "3 apples"']
)
def test_settings_that_mean_nothing_are_refused(settings: str, project: Project) -> None:
    with pytest.raises(DefinitionError, match=r"quarantine_|unit of size"):
        define(project, settings).run()


def test_what_is_held_is_found_from_everywhere_and_after_a_move(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home = project.folder / "home"
    home.mkdir()
    define(Project(home), "")
    monkeypatch.chdir(home)
    assert project.cli("run", "pipeline.yaml", "--quiet") == 0
    monkeypatch.chdir(project.folder)
    home.rename(project.folder / "moved")
    capsys.readouterr()
    assert project.cli("quarantine", "list", "--project", "moved") == 0
    assert "open" in capsys.readouterr().out
    assert project.cli("quarantine", "show", "--project", "moved") == 0
    assert "bad 0 of them" in capsys.readouterr().out
    assert project.cli("quarantine", "replay", "moved/pipeline.yaml") in (0, 1)
    assert "are gone" not in capsys.readouterr().err
