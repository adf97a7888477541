"""Finds what dead processes left in the state folder, and removes it. Not what runs can be gone on with, nor what is kept on purpose."""

from __future__ import annotations

import shutil
import time
from collections.abc import Collection, Iterator
from pathlib import Path

from headrace.business.engine import Litter
from headrace.infrastructure.storage.workspaces import Workspaces

#: Beside runs, a process may be at work that nobody has a list of: what is younger than this may be its own.
_YOUNG_SECONDS = 24 * 3600


def sweep_folder(state: Path, outstanding: Collection[str], *, pretend: bool) -> list[Litter]:
    """Workspaces of runs that are over and cannot be gone on with, folders of replays, and files that were never finished."""
    found = []
    for path, run in (*_workspaces(state, outstanding), *_unfinished(state)):
        found.append(Litter(f"folder {path}" if path.is_dir() else f"file {path}", run, _size(path)))
        if not pretend:
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
    return found


def _workspaces(state: Path, outstanding: Collection[str]) -> Iterator[tuple[Path, str]]:
    workspaces = Workspaces(state / "runs")
    if workspaces.root.is_dir():
        for folder in sorted(workspaces.root.iterdir()):
            if folder.is_dir() and folder.name not in outstanding and workspaces.noted(folder.name) is None:
                yield folder, folder.name


def _unfinished(state: Path) -> Iterator[tuple[Path, str]]:
    before = time.time() - _YOUNG_SECONDS
    for path in sorted((*state.glob("replay-*"), *(state / "quarantine").glob("*/*/.*.part"))):
        if path.stat().st_mtime < before:
            yield path, path.name.removeprefix(".").partition(".")[0]


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else (path,)
    return sum(f.stat().st_size for f in files if f.is_file())
