"""Hands what is staged to a sink, in the form that the sink takes: files, or a table of the sink's own database. Not when."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from headrace.business.engine import Engine, KeepsTables
from headrace.business.inside import PublishesInside, StagedTable
from headrace.business.ports import Checkpoint, Publication, Publisher, Staged
from headrace.errors import NonRetryableError


@dataclass(slots=True)
class Handing:
    """The way from one engine to the sinks of a run. What has to leave a database leaves it once, whichever sinks want it."""

    engine: Engine
    project: Path
    folder: Path
    delivered: Callable[[], Publication | None]
    """What became of rows that the one sink of the run took in while they were staged; None where there are none."""
    _taken_out: dict[str, Staged] = field(default_factory=dict)

    def publish(self, publisher: Publisher, staged: Staged | StagedTable, checkpoint: Checkpoint) -> Publication:
        if (done := self.delivered()) is not None:
            return done
        if isinstance(staged, StagedTable):
            if isinstance(publisher, PublishesInside) and publisher.lies_in(staged.database):
                return publisher.publish_inside(self.project, staged, checkpoint)
            staged = self._files_of(staged)
        return publisher.publish(self.project, staged, checkpoint)

    def _files_of(self, staged: StagedTable) -> Staged:
        if not isinstance(self.engine, KeepsTables):
            raise NonRetryableError(f"`{staged.table}` lies in a database that the engine {self.engine.name} does not know")
        if staged.table not in self._taken_out:
            folder = self.folder / str(len(self._taken_out))
            folder.mkdir(parents=True, exist_ok=True)
            self._taken_out[staged.table] = self.engine.take_out(staged, folder)
        return self._taken_out[staged.table]
