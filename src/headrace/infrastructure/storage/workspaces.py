"""The folders in which runs work, each with the mark of the process that owns it; so that what a dead one left behind is known."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Sequence
from pathlib import Path

from headrace.errors import NonRetryableError

_OWNER = "owner"


class Workspaces:
    """Folders under `root`, one for each run that is going on."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def open(self, run_id: str) -> Path:
        """A folder for a run of this process."""
        folder = self.root / run_id
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / _OWNER).write_text(f"{platform.node()} {os.getpid()} {_started(os.getpid())}")
        except OSError as error:
            raise NonRetryableError(
                f"there is no place to work in: {folder} cannot be made: {error.strerror}",
                hint="see that the folder can be written to, or name another with `state` in headrace.toml",
            ) from error
        return folder

    def close(self, run_id: str) -> None:
        """Remove a run's folder with all that is in it."""
        shutil.rmtree(self.root / run_id, ignore_errors=True)

    def abandoned(self) -> Sequence[str]:
        """The runs whose process on this machine is no more. Those of other machines are left alone."""
        if not self.root.is_dir():
            return []
        return [folder.name for folder in sorted(self.root.iterdir()) if folder.is_dir() and _is_dead(folder / _OWNER)]


def _is_dead(owner: Path) -> bool:
    try:
        host, pid, started = owner.read_text().split()
    except (OSError, ValueError):
        return False
    return host == platform.node() and _started(int(pid)) != started


def _started(pid: int) -> str:
    """When a process started, in the kernel's own count, so that a number given out again is not taken for it; or `-`, or `gone`."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return "gone"
    except PermissionError:
        return "-"
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return "-"
