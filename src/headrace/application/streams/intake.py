"""Takes messages in: polls a feed, reads rows out of them, and puts facts about the message beside each row. Not what rows mean."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headrace.application.streams.ahead import Ahead
from headrace.business.model.stream import StreamOptions, Watermark
from headrace.business.ports import Position
from headrace.business.processing.plan import PlannedSource
from headrace.business.streams.engine import Arrived
from headrace.business.streams.messages import (
    DeadLetter,
    Decoded,
    Messages,
    MessageSource,
    Sharing,
    Start,
    Unreadable,
    facts,
    letter_as_messages,
)
from headrace.business.streams.wakes import Wakes
from headrace.business.streams.watermarks import Watermarks, Woken
from headrace.errors import RetryableError
from headrace.records import record

if TYPE_CHECKING:
    import pyarrow as pa


#: How often a feed is asked for its partitions, and how much silence one look can find, in seconds.
ASK_EVERY, MOST_AT_ONCE = 0.5, 0.5
#: How long reading rests where little comes: until a checkpoint hurries it, or, where another worker takes these, for a share of what lies
#: between them; and so many seconds at the most.
SHARE_OF_REST, LONGEST_REST = 0.25, 0.05


@record
class Taken:
    """The rows of some messages of one partition, those that could not be read, and what was heard of the partition."""

    arrived: Arrived
    messages: int
    bytes: int
    last: Position | None
    """None for messages that are read again out of their turn."""
    dead: tuple[DeadLetter, ...] = ()
    woken: Woken | None = None


#: Asks whoever knows of all partitions whether one may go on; the horizon then, as far as there is one.
AskForHorizon = Callable[[str], int | None]


@dataclass
class Elsewhere:
    """What other workers have said of the partitions of a source that they read."""

    partitions: dict[int, Sequence[str]] = field(default_factory=dict)
    """Those of each worker that has said so."""
    lag: dict[int, Mapping[str, int | None]] = field(default_factory=dict)
    exhausted: set[int] = field(default_factory=set)
    """Workers to which nothing can come any more."""
    expected: frozenset[int] = frozenset()
    """The workers that partitions were shared out to."""

    def reads(self, seat: int, partitions: Sequence[str], lag: Mapping[str, int | None], *, exhausted: bool) -> None:
        """What a worker reads now."""
        self.partitions[seat], self.lag[seat] = partitions, lag
        if exhausted:
            self.exhausted.add(seat)

    def holds(self, seat: int, partition: str) -> None:
        """A worker has found something in a partition. Whether that is all it reads, it still has to say."""
        if seat in self.partitions and partition not in self.partitions[seat]:
            self.partitions[seat] = [*self.partitions[seat], partition]

    @property
    def known(self) -> bool:
        return self.expected <= self.partitions.keys()

    @property
    def over(self) -> bool:
        return self.expected <= self.exhausted


class Intake:
    """One source of messages, open. `positions` is how far each partition was given out, here and by other workers."""

    feed: Ahead

    def __init__(
        self,
        planned: PlannedSource,
        plugin: Any,
        watermark: Watermark | None,
        project: Path,
        clock: Callable[[], float] = time.monotonic,
        *,
        ask: AskForHorizon | None = None,
        seat: int = 0,
    ) -> None:
        self._clock, self._ask = clock, ask
        self.name, self.planned, self.project = planned.name, planned, project
        self.source: MessageSource = plugin
        self._seat = seat
        # What several workers are sent of one queue is in no common order, so it is a partition for each of them.
        self._suffix = f"@{seat}" if seat and not plugin.replayable else ""
        self.positions: dict[str, Position] = {}
        self.idle_after = watermark.idle.total_seconds() if watermark and watermark.idle else None
        self.watermarks = Watermarks(_micros(watermark)) if watermark else None
        self.wakes = Wakes(planned.name)
        self._facts: Mapping[str, Any] = dict(plugin.columns)
        self._columns = [c.name for c in planned.scan.schema if c.name not in self._facts]
        self._reader = plugin.format.reader(planned.scan.schema.select(self._columns), project)
        self.letters_until = 0
        """Dead letters up to this epoch were taken in."""
        self.elsewhere = Elsewhere()
        self._silence: dict[str, float] = {}
        self._idle: set[str] = set()
        self._polled_at = self._asked_at = self._waited_at = float("-inf")
        self._partitions: Sequence[str] = ()

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Go on where an epoch was saved. No partition is idle then: nobody has listened to it meanwhile."""
        self.positions = {partition: Position(p) for partition, p in saved["positions"].items()}
        self.letters_until = saved.get("letters_until", 0)
        if self.watermarks is not None and saved.get("watermarks"):
            self.watermarks = Watermarks(self.watermarks.delay, saved["watermarks"])

    def saved(self) -> dict[str, Any]:
        return {
            "positions": dict(self.positions),
            "idle": sorted(self._idle),
            "letters_until": self.letters_until,
            "watermarks": self.watermarks.saved() if self.watermarks else None,
        }

    def open(self, sharing: Sharing, start: Start | None, options: StreamOptions) -> None:
        feed = self.source.feed(self.project, sharing, self._for_feed(self.positions), start)
        self._partitions, self._asked_at, self._polled_at = self._of_feed(feed.partitions()), self._clock(), self._clock()
        self._silence = {}
        rest = min(options.checkpoint.total_seconds() * SHARE_OF_REST, LONGEST_REST) if self._seat else LONGEST_REST
        self.feed = Ahead(feed, self._reader, options.rows, options.wait.total_seconds(), rest)

    def close(self) -> None:
        self.feed.close()

    def hurry(self) -> bool:
        """See `Ahead.hurry`."""
        return self.feed.hurry()

    @property
    def pending(self) -> bool:
        """See `Ahead.pending`."""
        return self.feed.pending

    @property
    def exhausted(self) -> bool:
        """Whether nothing can come any more, here and to other workers, and all that came was given out."""
        return self.feed.exhausted and self.elsewhere.over

    def came(self, partition: str, last: Position | None, highest: int | None) -> None:
        """Messages of a partition are worked in, up to a position, and good rows of theirs up to a time."""
        if last is not None:
            self.positions[partition] = last
        if self.watermarks is not None:
            self.watermarks.observe(partition, highest)

    def dated(self, arrived: Arrived) -> Arrived:
        """Rows with how far event time has come before them, in their partition and for windows."""
        if self.watermarks is None:
            return arrived
        return replace(arrived, watermark=self.watermarks.own(arrived.partition), horizon=self.watermarks.horizon)

    def fell_asleep(self, partition: str) -> None:
        """A partition that another worker reads has been silent for too long."""
        self._idle.add(partition)

    def goes_on(self, partition: str) -> int | None:
        """A partition that another worker reads holds windows open from here on; up to where they have closed."""
        self._idle.discard(partition)
        return self.watermarks.horizon if self.watermarks is not None else None

    def woke(self, woken: Woken) -> None:
        """A partition goes on that the others have gone on without: its rows are late by that, also when they are read again."""
        if self.watermarks is not None:
            self.watermarks.woke(woken)
        if self.source.replayable:
            self.wakes.note(woken)

    def shared_anew(self, others: frozenset[int]) -> None:
        """Partitions go to this worker and these. None is idle before whoever reads it has listened to it."""
        self.elsewhere = Elsewhere(expected=others)
        self._idle.clear()

    def newly_idle(self) -> set[str]:
        """The partitions read here that have become idle since the last time: silent for so long, unless the broker knows of messages
        that are on their way."""
        if self.idle_after is None:
            return set()
        silent = {p for p in self._partitions if self._silence.get(p, 0.0) > self.idle_after} - self._idle
        if not silent or self._clock() - self._waited_at < ASK_EVERY:
            return set()
        self._waited_at = self._clock()
        try:
            waiting = self._lag_here()
        except RetryableError:
            return set()  # of a broker that is away nothing can be heard
        found = {p for p in silent if not waiting.get(p)}
        self._idle |= found
        return found

    def look(self) -> Sequence[str]:
        """The partitions that come here now."""
        if self._clock() - self._asked_at >= ASK_EVERY:
            self._partitions, self._asked_at = self._of_feed(self.feed.partitions()), self._clock()
        return self._partitions

    def lag(self) -> Mapping[str, int | None]:
        """How many messages wait in each partition."""
        return {**self._lag_here(), **{p: lag for found in self.elsewhere.lag.values() for p, lag in found.items()}}

    def _lag_here(self) -> Mapping[str, int | None]:
        return {partition + self._suffix: lag for partition, lag in self.feed.lag().items()}

    def acknowledge(self, positions: Mapping[str, Position]) -> None:
        """All up to these positions is dealt with for good, as far as it came here."""
        here = self.look()
        self.feed.acknowledge(self._for_feed({p: position for p, position in positions.items() if p in here}))

    def _of_feed(self, partitions: Sequence[str]) -> Sequence[str]:
        return [partition + self._suffix for partition in partitions]

    def _for_feed(self, positions: Mapping[str, Position]) -> Mapping[str, Position]:
        if not self._suffix:
            return dict(positions)
        return {p.removesuffix(self._suffix): position for p, position in positions.items() if p.endswith(self._suffix)}

    def poll(self, wait_seconds: float) -> Iterator[Taken]:
        """What has come since the last time, partition by partition."""
        self._let_silence_grow()
        for came in self.feed.take(wait_seconds):
            for messages, decoded in self.wakes.cut(*came):
                yield self._taken(messages, decoded)

    def once_more(self, letters: Sequence[DeadLetter]) -> Iterator[Taken]:
        """Messages that could not be read, read again as they came. They are behind what was given out, and move nothing on."""
        for letter in letters:
            messages = letter_as_messages(letter)
            taken = self._read(messages, self._reader.read(messages))
            yield replace(taken, last=None)

    def advance(self) -> int | None:
        """The horizon of this source now; None where it has none."""
        if self.watermarks is None:
            return None
        if self.exhausted:
            return self.watermarks.end()
        here = self.look()
        self.newly_idle()
        if not self.elsewhere.known:
            return self.watermarks.horizon
        return self.watermarks.advance([*here, *chain(*self.elsewhere.partitions.values())], self._idle)

    def _let_silence_grow(self) -> None:
        """A partition is silent for as long as it was listened to in vain. While nobody listens, because a sink is slow or the stream is
        paused, messages may be waiting, so little of that time counts."""
        now = self._clock()
        passed = min(now - self._polled_at, MOST_AT_ONCE)
        self._polled_at = now
        for partition in self._partitions:
            self._silence[partition] = self._silence.get(partition, 0.0) + passed

    def _taken(self, messages: Messages, decoded: Decoded) -> Taken:
        partition = messages.partition + self._suffix
        if self._ask is not None and (partition in self._idle or partition not in self.positions):
            self._closed(self._ask(partition))
        self._idle.discard(partition)
        self._silence[partition] = 0.0
        woken = self._woken(messages)
        self.positions[partition] = messages.last
        return replace(self._read(messages, decoded), woken=woken)

    def _read(self, messages: Messages, decoded: Decoded) -> Taken:
        partition = messages.partition + self._suffix
        positions = messages.positions if decoded.origins is None else messages.positions.take(decoded.origins)
        rows = self._with_facts(messages, decoded)
        arrived = self.dated(Arrived(self.name, partition, rows, positions))
        dead = tuple(_dead(messages, found) for found in decoded.unreadable)
        return Taken(arrived, len(messages), messages.payloads.nbytes, messages.last, dead)

    def _closed(self, horizon: int | None) -> None:
        if self.watermarks is not None and horizon is not None:
            self.watermarks.closed(horizon)

    def _woken(self, messages: Messages) -> Woken | None:
        """Whether others have gone on without the partition, now or when these messages were read before."""
        if self.watermarks is None or self.watermarks.ended:
            return None
        partition, position = messages.partition + self._suffix, str(messages.positions[0].as_py())
        own, then = self.watermarks.own(partition), self.wakes.horizon_at(partition, position)
        horizon = max((known for known in (self.watermarks.horizon, then) if known is not None), default=None)
        if horizon is None or (own is not None and own >= horizon):
            return None
        woken = Woken(partition, position, horizon)
        self.woke(woken)
        return woken

    def _with_facts(self, messages: Messages, decoded: Decoded) -> pa.RecordBatch:
        import pyarrow as pa

        if not self._facts:
            return decoded.rows
        found = dict(zip(decoded.rows.schema.names, decoded.rows.columns, strict=True))
        for name, fact in self._facts.items():
            values = facts(messages, fact)
            found[name] = values if decoded.origins is None else values.take(decoded.origins)
        names = self.planned.scan.schema.names
        return pa.RecordBatch.from_arrays([found[name] for name in names], names=list(names))


def _micros(watermark: Watermark) -> int:
    return round(watermark.delay.total_seconds() * 1_000_000)


def _dead(messages: Messages, found: Unreadable) -> DeadLetter:
    number = found.message
    headers = messages.headers[number].as_py() if messages.headers is not None else None
    return DeadLetter(
        messages.partition,
        str(messages.positions[number].as_py()),
        found.reason,
        found.detail,
        messages.payloads[number].as_py() if found.part is None else found.part,
        messages.keys[number].as_py() if messages.keys is not None else None,
        dict(headers or {}),
        messages.published_at[number].as_py() if messages.published_at is not None else None,
    )
