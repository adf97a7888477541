"""The port of what a stream keeps outside of itself: state, output, and what could not be taken in. Not how any of it is kept."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from headrace.business.engine import QuarantineTarget
from headrace.business.model.schema import Schema
from headrace.business.ports import Publisher
from headrace.business.processing.plan import PlannedSource
from headrace.business.streams.dead_letters import DeadLetters
from headrace.business.streams.state import Outlet, StateStore

if TYPE_CHECKING:
    import pyarrow as pa


class StreamKeeping(Protocol):
    """Opens what one project's streams keep. What it writes by epoch replaces what an interrupted attempt at that epoch has left."""

    def state(self, stream: str, connection: str | None) -> StateStore:
        """The store of a stream's epochs: that of a connection, or in the state folder."""
        ...

    def outlet(self, publisher: Publisher, project: Path, stream: str, schema: Schema) -> Outlet:
        """A sink, open for a stream."""
        ...

    def hold(self, source: PlannedSource, target: QuarantineTarget, epoch: int, held: Sequence[tuple[str, pa.Table]]) -> None:
        """Keep the rows of an epoch that broke rules (see `Judged.held`), each table with its partition, as those of a batch are kept:
        in the folder `target.path`."""
        ...

    def let_go(self, quarantine: Path, epoch: int) -> None:
        """Forget rows that any run of a source has held back behind this epoch: it was interrupted, and they come again."""
        ...

    def dead_letters(self, stream: str, source: str) -> DeadLetters:
        """Where the messages of a source are kept that could not be read."""
        ...
