"""The kept state of streams for people: what is there, and what is in an epoch. Not how a stream goes on with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, Any

from headrace.business.streams.slots import put_together
from headrace.business.streams.state import Saved, StateStore
from headrace.errors import UsageError
from headrace.records import record

if TYPE_CHECKING:
    import pyarrow as pa


@record
class KeptStream:
    """What a store keeps of one stream."""

    stream: str
    epochs: Sequence[int]
    bytes: int


@record
class KeptPart:
    """One part of the state as an epoch left it: what was saved whole, and behind it what was added since."""

    bytes: int
    rows: int | None = None
    """None for a part that holds no table."""
    table: pa.Table | None = field(default=None, compare=False, repr=False)


@record
class KeptEpoch:
    """An epoch of a stream."""

    epoch: int
    base: int
    """The oldest epoch that has something of it; the same when it is whole itself."""
    facts: Mapping[str, Any]
    parts: Mapping[str, KeptPart]


def kept_streams(stores: Mapping[str, StateStore]) -> Sequence[KeptStream]:
    """Every stream, by name."""
    return [KeptStream(name, tuple(store.epochs()), store.bytes()) for name, store in sorted(stores.items())]


def kept_epoch(stream: str, store: StateStore, epoch: int | None = None) -> KeptEpoch:
    """One epoch with all that makes its state; the last one unless said. Raises `UsageError` when it is not there."""
    there = store.epochs()
    if not there:
        raise UsageError(f"no state of the stream `{stream}` is kept", hint="`headrace state` lists those that are")
    wanted = there[-1] if epoch is None else epoch
    if wanted not in there:
        known = ", ".join(map(str, there)) if len(there) <= 20 else f"{there[0]} to {there[-1]}"
        raise UsageError(f"epoch {wanted} of the stream `{stream}` is not kept", hint=f"kept are {known}")
    saved = store.load(wanted)
    names = dict.fromkeys(name for epoch_saved in saved for name in epoch_saved.parts)
    return KeptEpoch(wanted, saved[0].epoch, saved[-1].facts, {name: _part(name, saved) for name in names})


def _part(name: str, saved: Sequence[Saved]) -> KeptPart:
    import pyarrow as pa

    written = [epoch.parts[name] for epoch in saved if name in epoch.parts]
    size = sum(map(len, written))
    try:
        tables = [pa.ipc.open_stream(part).read_all() for part in written]
        table = pa.concat_tables(put_together(tables)[0], promote_options="default")
    except pa.ArrowInvalid:
        return KeptPart(size)
    return KeptPart(size, table.num_rows, table)
