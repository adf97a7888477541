"""A source and a sink for tests that plan but do not read or write."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import ClassVar, Literal

from headrace.business.model.schema import Schema
from headrace.business.ports import Checkpoint, Plugin, Publication, Staged


class StandInSource(Plugin):
    kind: ClassVar[str] = "stand_in"


class StandInSink(Plugin):
    """Remembers its checkpoints in the class attribute that a test gives it."""

    kind: ClassVar[str] = "stand_in"
    mode: Literal["append", "replace", "merge"] = "replace"
    label: str = "target"

    def target(self, project: Path) -> str:
        return self.label

    def problems(self, schema: Schema) -> Iterable[str]:
        return ()

    def guarantee(self) -> str:
        return "none"

    def ledger(self, project: Path) -> Sequence[Checkpoint]:
        return ()

    def publish(self, project: Path, staged: Staged, checkpoint: Checkpoint) -> Publication:
        return Publication(self.label, inserted=staged.rows)
