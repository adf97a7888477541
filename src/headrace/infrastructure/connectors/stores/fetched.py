"""Folders for copies of files that lie elsewhere, in the state folder of a project. A folder goes with its process.

A process that was killed leaves its folder behind, with a lock that nobody holds: the next one that fetches removes it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import uuid
import weakref
from pathlib import Path

from headrace.settings import home, load_settings

_LOCK, _NEW = ".lock", ".new-"


class FetchedFolder:
    """A new folder, which is there as long as this object, and no longer than its process."""

    def __init__(self, project: Path) -> None:
        parent = home(project) / load_settings(home(project)).state / "fetched"
        parent.mkdir(parents=True, exist_ok=True)
        _clear(parent)
        self.path = parent / uuid.uuid4().hex[:12]
        made = parent / f"{_NEW}{self.path.name}"
        made.mkdir(mode=0o700)
        handle = os.open(made / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(handle, fcntl.LOCK_EX)
        made.rename(self.path)  # it has its name when it is locked, and not before
        self._gone = weakref.finalize(self, _remove, self.path, handle, os.getpid())

    def remove(self) -> None:
        self._gone()


def _remove(path: Path, handle: int, owner: int) -> None:
    if os.getpid() == owner:
        shutil.rmtree(path, ignore_errors=True)
        os.close(handle)


def _clear(parent: Path) -> None:
    for folder in (f for f in parent.iterdir() if not f.name.startswith(_NEW)):
        try:
            handle = os.open(folder / _LOCK, os.O_RDWR | os.O_CLOEXEC)
        except OSError:  # another one has just removed it
            continue
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        else:
            shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(handle)
