"""The folders in which runs work, each with a note of what lies ready in it, so that a run can be gone on with. Not what the note means."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from headrace.errors import NonRetryableError

_NOTE = "ready.json"


class Workspaces:
    """Folders under `root`, one for each run that is going on or may be gone on with."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def open(self, run_id: str) -> Path:
        """The folder of a run."""
        folder = self.root / run_id
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise NonRetryableError(
                f"there is no place to work in: {folder} cannot be made: {error.strerror}",
                hint="see that the folder can be written to, or name another with `state` in headrace.toml",
            ) from error
        return folder

    def close(self, run_id: str) -> None:
        """Remove a run's folder with all that is in it."""
        shutil.rmtree(self.root / run_id, ignore_errors=True)

    def note(self, run_id: str, note: Mapping[str, Any]) -> None:
        """Write down what lies ready, all or nothing; it is on the disk when this returns."""
        path = self.root / run_id / _NOTE
        part = path.with_suffix(".part")
        with part.open("w", encoding="utf-8") as file:
            json.dump(note, file, default=str)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)

    def noted(self, run_id: str) -> Mapping[str, Any] | None:
        """What was written down last; None when nothing was, or nothing that can be read."""
        try:
            found: Mapping[str, Any] = json.loads((self.root / run_id / _NOTE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return found

    def tidy(self, outstanding: Collection[str], pipeline: str | None = None) -> None:
        """Remove what ended runs left: folders without a note, and with one those of this pipeline, which has a newer run."""
        if not self.root.is_dir():
            return
        for folder in self.root.iterdir():
            if folder.is_dir() and folder.name not in outstanding:
                note = self.noted(folder.name)
                if note is None or note.get("pipeline") == pipeline:
                    self.close(folder.name)
