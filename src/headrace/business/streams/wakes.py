"""Where partitions went on that the others had gone on without. Kept with the epochs, so that a replay decides as the clock did. Not how
that is found out.

How far windows had closed when a silent partition spoke again is the one thing in a stream that no message says. It is noted at
the message it woke with, and a replay, whichever way it cuts and mixes messages, judges from that message on as was judged then.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from headrace.business.ports import Position
from headrace.business.streams.engine import Changes
from headrace.business.streams.messages import Decoded, Messages
from headrace.business.streams.state import Saved
from headrace.business.streams.watermarks import Woken

if TYPE_CHECKING:
    import pyarrow as pa

#: What the names of parts begin with that hold them.
_PART = "woken "
#: Over how many epochs they are spread, until all are saved again.
_LONGEST = 50


class Wakes:
    """Those of one source."""

    def __init__(self, source: str) -> None:
        self._part = _PART + source
        self._known: dict[str, dict[str, int]] = {}
        self._unsaved: list[Woken] = []
        self._reach: int | None = None

    def horizon_at(self, partition: str, position: str) -> int | None:
        """Up to where windows had closed when the partition woke with this message, if it did."""
        return self._known.get(partition, {}).get(position)

    def note(self, woken: Woken) -> None:
        """What is known already is not noted again."""
        if self.horizon_at(woken.partition, woken.position) != woken.horizon:
            self._known.setdefault(woken.partition, {})[woken.position] = woken.horizon
            self._unsaved.append(woken)

    def known(self) -> list[Woken]:
        """All of them."""
        return [Woken(p, position, horizon) for p, known in self._known.items() for position, horizon in known.items()]

    def cut(self, messages: Messages, decoded: Decoded) -> Iterator[tuple[Messages, Decoded]]:
        """The same messages, in pieces that begin where the partition woke."""
        begin = 0
        for number in self._found(messages):
            if number > begin:
                yield _piece(messages, decoded, begin, number)
                begin = number
        yield (messages, decoded) if begin == 0 else _piece(messages, decoded, begin, len(messages))

    def _found(self, messages: Messages) -> Sequence[int]:
        """The numbers of messages with which the partition woke."""
        known = self._known.get(messages.partition)
        if not known:
            return ()
        import pyarrow as pa
        import pyarrow.compute as pc

        woke = pa.array(list(known), pa.string())
        found: Sequence[int] = pc.indices_nonzero(pc.is_in(messages.positions.cast(pa.string()), woke)).to_pylist()
        return found

    # Saved -----------------------------------------------------------------------------------------------------------

    def changes(self, *, whole: bool = False) -> Changes:
        """What was noted since the last time, or all of it: now and then by itself, so that few epochs have to be read."""
        noted, self._unsaved = self._unsaved, []
        if not self._known:
            return Changes({}, 0)
        if whole or self._reach is None or self._reach >= _LONGEST:
            noted, self._reach = self.known(), 0
        else:
            self._reach += 1
        return Changes({self._part: _written(noted)} if noted else {}, self._reach)

    def restore(self, saved: Sequence[Saved]) -> None:
        """Know what these have noted, oldest first."""
        for epoch in saved:
            if self._part in epoch.parts:
                for woken in _read(epoch.parts[self._part]):
                    self._known.setdefault(woken.partition, {})[woken.position] = woken.horizon


def _piece(messages: Messages, decoded: Decoded, begin: int, end: int) -> tuple[Messages, Decoded]:
    def some(of: pa.Array | None) -> pa.Array | None:
        return None if of is None else of[begin:end]

    cut = replace(
        messages,
        payloads=messages.payloads[begin:end],
        positions=messages.positions[begin:end],
        last=messages.last if end == len(messages) else Position(str(messages.positions[end - 1].as_py())),
        keys=some(messages.keys),
        published_at=some(messages.published_at),
        headers=some(messages.headers),
    )
    unreadable = [replace(u, message=u.message - begin) for u in decoded.unreadable if begin <= u.message < end]
    if decoded.origins is None:
        return cut, Decoded(decoded.rows[begin:end], None, unreadable)
    first, behind = _before(decoded.origins, begin), _before(decoded.origins, end)
    return cut, Decoded(decoded.rows[first:behind], _less(decoded.origins[first:behind], begin), unreadable)


def _before(origins: pa.Array, message: int) -> int:
    """How many rows come of messages before this one."""
    import pyarrow.compute as pc

    return pc.sum(pc.less(origins, message)).as_py() or 0


def _less(origins: pa.Array, begin: int) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    return pc.subtract(origins, pa.scalar(begin, origins.type))


def _written(noted: Sequence[Woken]) -> bytes:
    import pyarrow as pa

    columns = {
        "partition": pa.array([woken.partition for woken in noted], pa.string()),
        "position": pa.array([woken.position for woken in noted], pa.string()),
        "horizon": pa.array([woken.horizon for woken in noted], pa.int64()),
    }
    table, sink = pa.table(columns), pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def _read(part: bytes) -> list[Woken]:
    import pyarrow as pa

    rows = pa.ipc.open_stream(part).read_all()
    return [Woken(*row) for row in zip(*(column.to_pylist() for column in rows.columns), strict=True)]
