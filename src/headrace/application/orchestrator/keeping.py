"""How long, and how many, rows that were held back are kept. No row goes in silence: its count and an example stay in the log."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from headrace.errors import NonRetryableError


@dataclass(frozen=True, slots=True)
class Keeping:
    """The quarantine of a project: a file for each run and dataset below `folder`."""

    folder: Path
    days: int | None = None
    most_bytes: int | None = None

    def expire(self, now: datetime) -> None:
        """Remove the files of runs that are older than rows are kept. `headrace quarantine list --all` goes on to count them."""
        if self.days is None:
            return
        oldest = (now - timedelta(days=self.days)).timestamp()
        for file in self._files():
            if file.stat().st_mtime < oldest:
                file.unlink(missing_ok=True)

    def demand_room(self) -> None:
        """Raises when more is held back than may be. What was held back stays where it is, and nothing is published."""
        if self.most_bytes is None:
            return
        held = sum(file.stat().st_size for file in self._files())
        if held > self.most_bytes:
            raise NonRetryableError(
                f"the quarantine has {held:,} bytes with the rows of this run, and may have {self.most_bytes:,}; nothing was published",
                hint=f"mend what is wrong, raise `quarantine_max`, set `quarantine_days`, or remove what is not needed from {self.folder}",
            )

    def _files(self) -> Iterator[Path]:
        return self.folder.rglob("*.parquet")
