"""From one epoch to the next: saves, commits, acknowledges, in that order, and finds after a death which epoch counts.

See ADR 0033. What an epoch is made of is handed in; nothing here reads messages or rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from headrace.business.ports import Fence, Publication
from headrace.business.streams.engine import Changes
from headrace.business.streams.state import Outlet, Saved, StateStore
from headrace.errors import LeaseLost, NonRetryableError, Path, told_at
from headrace.records import record

if TYPE_CHECKING:
    import pyarrow as pa

T = TypeVar("T")

#: What the name of a part begins with that is output, kept for the sink that was behind.
_OUTPUT = "output "


class Attempting(Protocol):
    """Tries an operation again that fails in a way that may pass."""

    def __call__(self, step: str, operation: Callable[[], T], system: str | None = None) -> T: ...


@record
class OpenSink:
    """A sink of the stream: the dataset that it takes, and its outlet."""

    name: str
    dataset: str
    outlet: Outlet
    system: str | None
    place: Path = ()
    """Where it stands in the definition."""


class Epochs:
    """The epochs of one stream. `number` is the last that counts."""

    number: int = 0
    _needs: int = 0

    def __init__(
        self, store: StateStore, sinks: tuple[OpenSink, ...], fence: Fence, attempt: Attempting, reached: Callable[[str], None]
    ) -> None:
        self.store, self.sinks, self.fence, self.attempt, self.reached = store, sinks, fence, attempt, reached

    def recover(self, *, lenient: bool = False) -> tuple[Saved, ...]:
        """The epochs that make the state that counts, oldest first; none for a stream that has just begun.

        Raises `NonRetryableError` when the sinks have more than the store knows how to go on from, or when that is damaged; unless
        `lenient`, because nobody wants to go on from there.
        """
        self.attempt("opening the state", lambda: self.store.open(self.fence))
        there = list(self.attempt("looking for epochs", self.store.epochs))
        known = {s.name: self._committed(s) for s in self.sinks}
        try:
            return self._counting(known, there)
        except NonRetryableError as error:
            if not lenient or isinstance(error, LeaseLost):
                raise
            self.number = max([0, *there, *(epoch for epoch in known.values() if epoch is not None)])
            return ()

    def _counting(self, known: Mapping[str, int | None], there: list[int]) -> tuple[Saved, ...]:
        """The epochs that make the state that every sink has come to, after it was brought there."""
        joining = self._joining(known, there)
        counted = [epoch for name, epoch in known.items() if epoch is not None and name not in joining]
        last = there[-1] if there else 0
        self.number = min(counted) if counted else max(last - 1, 0)
        if self.number and self.number not in there:
            raise self._lost(known)
        # Sinks that cannot say what they have come first: where one that can has an epoch, they have it, too.
        self.sinks = tuple(sorted(self.sinks, key=lambda sink: known[sink.name] is not None))
        if counted and max(counted) > self.number:
            self._finish(max(counted), there)
        found = self.kept(self.number) if self.number else ()
        self._needs = found[-1].needs if found else 0
        return found

    def newest(self) -> tuple[Saved, ...]:
        """What makes the newest epoch that is kept, counted or not; none where there is none that can be read."""
        there = self.store.epochs()
        try:
            return self.kept(there[-1]) if there else ()
        except NonRetryableError:
            return ()

    def kept(self, epoch: int) -> tuple[Saved, ...]:
        """What makes the state of an epoch, oldest first. Raises `NonRetryableError` when it is not kept any more."""
        return tuple(_without_output(saved) for saved in self.store.load(epoch))

    def _joining(self, known: Mapping[str, int | None], there: list[int]) -> frozenset[str]:
        """Sinks that the definition did not have when the last epoch that counts was saved: they take part from the next on."""
        last = max((epoch for epoch in known.values() if epoch is not None), default=0)
        if last not in there:
            return frozenset()
        before = self.store.load(last)[-1].facts.get("sinks", ())
        return frozenset(name for name, epoch in known.items() if epoch == 0 and name not in before)

    def _committed(self, sink: OpenSink) -> int | None:
        with told_at(sink.place):
            return self.attempt(f"asking {sink.name}", lambda: sink.outlet.committed(self.fence), sink.system)

    def _lost(self, known: Mapping[str, int | None]) -> NonRetryableError:
        held = ", ".join(f"{name} has epoch {epoch}" for name, epoch in known.items() if epoch is not None)
        return NonRetryableError(
            f"the state of the stream is gone ({held or 'and so is how far it was read'}), so it cannot go on where it was",
            hint="bring the state folder back; or keep state where it is shared (`stream: {state: <connection>}`); or begin anew with "
            "`headrace streams replay --from earliest`",
        )

    def _finish(self, epoch: int, there: list[int]) -> None:
        """Some sinks have an epoch that others lack: these get the very same rows, which were saved for them."""
        if epoch != self.number + 1 or epoch not in there:
            raise NonRetryableError(
                f"the sinks of the stream are too far apart: from epoch {self.number} to {epoch}",
                hint="was one of them restored from a backup? `headrace streams replay --from earliest` begins anew",
            )
        saved = self.store.load(epoch)[-1]
        self._commit(epoch, {name.removeprefix(_OUTPUT): _read(part) for name, part in saved.parts.items() if is_output(name)})
        self.number = epoch

    def checkpoint(
        self,
        facts: Mapping[str, Any],
        changes: Changes,
        output: Mapping[str, pa.Table],
        acknowledge: Callable[[], None],
    ) -> Mapping[str, Publication]:
        """Make one more epoch count. `changes` is what became of the state."""
        epoch, parts = self.number + 1, dict(changes.parts)
        self._needs = epoch - changes.reach
        if len(self.sinks) > 1:
            parts |= {_OUTPUT + name: _written(table) for name, table in output.items()}
        saved = Saved(epoch, {**facts, "sinks": [sink.name for sink in self.sinks]}, parts, self._needs)
        self.attempt("saving the state", lambda: self.store.save(saved))
        self.reached("stream saved")
        published = self._commit(epoch, output)
        self.reached("stream committed")
        self.number = epoch
        self.attempt("acknowledging", acknowledge)
        self.reached("stream acknowledged")
        return published

    def settle(self, facts: Mapping[str, Any]) -> None:
        """Behind a clean stop: an epoch without output says that the one before counts, to a stream whose sinks do not say so."""
        if self.number and all(self._committed(sink) is None for sink in self.sinks):
            self.store.save(Saved(self.number + 1, facts, needs=self._needs))
            self.number += 1

    def forget(self, kept: int) -> None:
        """Let go of epochs that nobody will go back to."""
        if self.number > kept:
            self.store.forget(self.number - kept)

    def close(self) -> None:
        for sink in self.sinks:
            sink.outlet.close()
        self.store.close()

    def _commit(self, epoch: int, output: Mapping[str, pa.Table]) -> dict[str, Publication]:
        published = {}
        for sink in self.sinks:
            commit = partial(sink.outlet.commit, epoch, output[sink.dataset])
            with told_at(sink.place):
                published[sink.name] = self.attempt(f"committing to {sink.name}", commit, sink.system)
            self.reached(f"stream committed {sink.name}")
        return published


def is_output(name: str) -> bool:
    """Whether a part of a saved epoch is what went out, and not state."""
    return name.startswith(_OUTPUT)


def _without_output(saved: Saved) -> Saved:
    parts = {name: part for name, part in saved.parts.items() if not is_output(name)}
    return Saved(saved.epoch, saved.facts, parts, saved.needs)


def _written(table: pa.Table) -> bytes:
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def _read(part: bytes) -> pa.Table:
    import pyarrow as pa

    return pa.ipc.open_stream(part).read_all()
