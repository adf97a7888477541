"""The port by which a sink takes in rows before it is known whether they may count, so that staging and loading go on at once.

A sink that has it is a `Publisher` all the same: whatever comes of a delivery, a run can be published without it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from headrace.business.model.schema import Schema
from headrace.business.ports import Checkpoint, Publication, Staged

if TYPE_CHECKING:
    import pyarrow as pa


class Delivery(Protocol):
    """Rows on their way to a target while they are being staged. None of them counts before `publish`, and none will that `close` finds
    unpublished: the target is as it was. Nothing but `publish` raises what went wrong on the way; what comes after that is let fall."""

    def take(self, rows: pa.RecordBatch) -> None:
        """Some of the rows, in turn. Waits as long as there are enough on their way."""
        ...

    def complete(self, staged: Staged) -> None:
        """All rows were given; this is what they came to."""
        ...

    def publish(self) -> Publication:
        """Make them count, as `Publisher.publish` would. Raises `RunError` where they cannot: then that is to be asked instead, for which
        everything is as if there had been no delivery."""
        ...

    def close(self) -> None: ...


@runtime_checkable
class Delivers(Protocol):
    """A publisher that can be given rows before it is known whether they may count, so that staging and loading go on at once."""

    def deliver(self, project: Path, schema: Schema, checkpoint: Checkpoint) -> Delivery | None:
        """Begin, at once, without waiting for others; None where these rows would not gain by it, or somebody is in the way."""
        ...
