"""The ports of what a stream keeps: its state, and the output that counts. Not how either is computed.

A stream goes from one *epoch* to the next. An epoch is one checkpoint: how far each partition was read, what the state became, and
what went out. It is carried out in this order, and whoever dies in between leaves no doubt:

1. the store saves the epoch: positions, watermarks, and what changed in the state;
2. each sink commits the rows of the epoch, and, where it has transactions, its number with them;
3. the broker is told.

A stream goes on behind the last epoch that its sinks have committed: what the store has saved beyond it never was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from headrace.business.model.schema import Schema
from headrace.business.ports import Fence, Publication
from headrace.business.target import Target
from headrace.records import record

if TYPE_CHECKING:
    import pyarrow as pa


@record
class Saved:
    """One epoch as a store keeps it."""

    epoch: int
    facts: Mapping[str, Any]
    """Positions, watermarks and the like: what can be written as JSON."""
    parts: Mapping[str, bytes] = field(default_factory=dict)
    """What changed in the state since the epoch before, by the name of the part: Arrow streams."""
    needs: int = 0
    """The oldest epoch that has to be read to make the state: this one when its parts are the whole of it, 0 for all that are there."""


class StateStore(Protocol):
    """Keeps the epochs of one stream. What was saved is durable when `save` returns, and an epoch is there whole or not at all.

    Raises `LeaseLost` for whoever comes with a smaller token than it has seen, `RetryableError` when it is away.
    """

    def open(self, fence: Fence) -> None:
        """From now on refuse whoever has a smaller token of this issuer. Called first."""
        ...

    def epochs(self) -> Sequence[int]:
        """The numbers of the epochs that are there, oldest first."""
        ...

    def save(self, saved: Saved) -> None:
        """Add an epoch; one that is there already, and any behind it, is replaced."""
        ...

    def load(self, epoch: int) -> Sequence[Saved]:
        """What makes the state of that epoch: from the one that it `needs` on, oldest first, up to it. Raises `NonRetryableError`
        when it is not there any more."""
        ...

    def forget(self, before: int) -> None:
        """Epochs before this one will not be asked for. What `load(before)` needs stays."""
        ...

    def bytes(self) -> int:
        """How much it keeps."""
        ...

    def remove(self) -> None:
        """Forget all of it, and who may save: for a stream that is over. Nobody has to have opened it."""
        ...

    def close(self) -> None: ...


class Outlet(Protocol):
    """An open sink that takes the output of a stream, epoch by epoch."""

    def committed(self, fence: Fence) -> int | None:
        """The last epoch of the stream that counts here, 0 when there is none. From now on a smaller token of this issuer is refused.

        None when the sink cannot keep it together with the rows: then an epoch that was interrupted comes again (at least once).
        """
        ...

    def commit(self, epoch: int, rows: pa.Table) -> Publication:
        """Make the rows of an epoch count, all or nothing, and its number with them; there may be no rows. An epoch that counts already
        changes nothing. Raises `LeaseLost` when a higher token was seen."""
        ...

    def close(self) -> None: ...


@runtime_checkable
class StreamSink(Target, Protocol):
    """A sink that takes the output of a stream in a way of its own. Any other publisher takes each epoch as a publication."""

    def outlet(self, project: Path, stream: str, schema: Schema) -> Outlet:
        """Open it for the stream of this name."""
        ...

    def stream_guarantee(self) -> str:
        """What a reader can count on, and why, in one sentence: `exactly once: ...` or `at least once: ...`."""
        ...
