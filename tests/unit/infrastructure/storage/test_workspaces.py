"""Workspaces: whose process is alive, and whose is not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from headrace.infrastructure.storage.workspaces import Workspaces


def test_a_run_of_this_process_is_not_abandoned_and_its_folder_goes_with_it(tmp_path: Path) -> None:
    spaces = Workspaces(tmp_path / "runs")
    folder = spaces.open("r1")
    (folder / "staged").mkdir()
    assert spaces.abandoned() == []
    spaces.close("r1")
    assert not folder.exists()


def test_a_run_whose_process_is_gone_is_abandoned(tmp_path: Path) -> None:
    code = f"from headrace.infrastructure.storage.workspaces import Workspaces as W; from pathlib import Path; W(Path({str(tmp_path)!r})).open('r1')"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert Workspaces(tmp_path).abandoned() == ["r1"]


def test_a_process_that_got_the_number_of_a_dead_one_is_not_taken_for_it(tmp_path: Path) -> None:
    spaces = Workspaces(tmp_path)
    owner = spaces.open("r1") / "owner"
    host, pid, _started = owner.read_text().split()
    owner.write_text(f"{host} {pid} 1")
    assert spaces.abandoned() == ["r1"]


def test_runs_of_other_machines_and_folders_of_others_are_left_alone(tmp_path: Path) -> None:
    spaces = Workspaces(tmp_path)
    owner = spaces.open("r1") / "owner"
    owner.write_text("elsewhere 1 1")
    (tmp_path / "something").mkdir()
    assert spaces.abandoned() == []
