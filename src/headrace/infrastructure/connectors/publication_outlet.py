"""Takes the epochs of a stream into any target that can be published to: each is a publication, which the target's ledger knows again.

Right where a publication is cheap beside a checkpoint: files, lake tables, warehouses. Not for a checkpoint ten times a second.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from headrace.business.model.schema import Schema
from headrace.business.ports import Checkpoint, Fence, Fenced, Publication, Publisher, Staged
from headrace.business.streams.state import Outlet, StreamSink
from headrace.errors import NonRetryableError, RetryableError
from headrace.infrastructure.connectors.ledger import epoch_name, epoch_of
from headrace.infrastructure.connectors.streams.epoch_rows import conformed, latest

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa


def outlet_of(publisher: Publisher | StreamSink, project: Path, stream: str, schema: Schema) -> Outlet:
    """A sink, opened for the stream of this name: in a way of its own where it has one."""
    if isinstance(publisher, StreamSink):
        return publisher.outlet(project, stream, schema)
    key = getattr(publisher, "key", ()) if getattr(publisher, "mode", "") == "merge" else ()
    return PublicationOutlet(publisher, project, stream, schema, tuple(key))


class PublicationOutlet:
    """A target of publications that takes the output of one stream. See `Outlet`."""

    def __init__(self, sink: Publisher, project: Path, stream: str, schema: Schema, key: Sequence[str] = ()) -> None:
        self.sink, self.project, self.stream, self.schema, self.key = sink, project, stream, schema, key
        self._fence: Fence | None = None
        self._last = 0

    def committed(self, fence: Fence) -> int:
        if isinstance(self.sink, Fenced):
            self.sink.fence(self.project, self.stream, fence)
        self._last = max((epoch_of(c) or 0 for c in self.sink.ledger(self.project) if c.pipeline == self.stream), default=0)
        self._fence = fence
        return self._last

    def commit(self, epoch: int, rows: pa.Table) -> Publication:
        shown = self.sink.target(self.project)
        if self._fence is None:
            raise NonRetryableError(f"{shown}: takes no epoch before `committed` has said by what right")
        if epoch <= self._last:
            return Publication(shown, already=True)
        coming = conformed(rows, self.schema)
        coming = latest(coming, self.key) if self.key else coming
        run = f"{self.stream}/{self._fence.token}"
        checkpoint = Checkpoint(epoch_name(self.stream, epoch), self.stream, run, datetime.now(UTC), fence=self._fence)
        with TemporaryDirectory(prefix="headrace-") as folder:
            done = self.sink.publish(self.project, _staged(coming, self.schema, Path(folder)), checkpoint)
        self._last = epoch
        return done

    def close(self) -> None:
        """Nothing is open between two publications."""


def _staged(rows: pa.Table, schema: Schema, folder: Path) -> Staged:
    import pyarrow.parquet as pq

    if not rows.num_rows:
        return Staged((), schema, 0, 0)
    file = folder / "epoch.parquet"
    try:
        pq.write_table(rows, file)
    except OSError as error:
        raise RetryableError(
            f"{folder}: {error.strerror or error}", hint="see that the disk of temporary files is not full"
        ) from error
    return Staged((file,), schema, rows.num_rows, file.stat().st_size)
