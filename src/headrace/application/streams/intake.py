"""Takes messages in: polls a feed, reads rows out of them, and puts facts about the message beside each row. Not what rows mean."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
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


@record
class Taken:
    """The rows of some messages of one partition, those that could not be read, and what was heard of the partition."""

    arrived: Arrived
    messages: int
    bytes: int
    last: Position
    dead: tuple[DeadLetter, ...] = ()
    woken: Woken | None = None


class Intake:
    """One source of messages, open. `positions` is how far each partition was given out."""

    feed: Ahead

    def __init__(
        self,
        planned: PlannedSource,
        plugin: Any,
        watermark: Watermark | None,
        project: Path,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self.name, self.planned, self.project = planned.name, planned, project
        self.source: MessageSource = plugin
        self.positions: dict[str, Position] = {}
        self.idle_after = watermark.idle.total_seconds() if watermark and watermark.idle else None
        self.watermarks = Watermarks(_micros(watermark)) if watermark else None
        self.wakes = Wakes(planned.name)
        self._facts: Mapping[str, Any] = dict(plugin.columns)
        self._columns = [c.name for c in planned.scan.schema if c.name not in self._facts]
        self._reader = plugin.format.reader(planned.scan.schema.select(self._columns), project)
        self.letters_until = 0
        """Dead letters up to this epoch were taken in."""
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
        feed = self.source.feed(self.project, sharing, self.positions, start)
        self._partitions, self._asked_at, self._polled_at = feed.partitions(), self._clock(), self._clock()
        self.feed = Ahead(feed, self._reader, options.rows, options.wait.total_seconds())

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
            yield replace(taken, last=self.positions.get(letter.partition, taken.last))

    def advance(self) -> int | None:
        """The horizon of this source now; None where it has none."""
        if self.watermarks is None:
            return None
        if self.feed.exhausted:
            return self.watermarks.end()
        if self._clock() - self._asked_at >= ASK_EVERY:
            self._partitions, self._asked_at = self.feed.partitions(), self._clock()
        self._look_for_idle()
        return self.watermarks.advance(self._partitions, self._idle)

    def _look_for_idle(self) -> None:
        """A partition is idle that has been silent for so long, unless the broker knows of messages that are on their way."""
        if self.idle_after is None:
            return
        silent = {p for p in self._partitions if self._silence.get(p, 0.0) > self.idle_after} - self._idle
        if not silent or self._clock() - self._waited_at < ASK_EVERY:
            return
        self._waited_at = self._clock()
        try:
            waiting = self.feed.lag()
        except RetryableError:
            return  # of a broker that is away nothing can be heard
        self._idle |= {p for p in silent if not waiting.get(p)}

    def _let_silence_grow(self) -> None:
        """A partition is silent for as long as it was listened to in vain. While nobody listens, because a sink is slow or the stream is
        paused, messages may be waiting, so little of that time counts."""
        now = self._clock()
        passed = min(now - self._polled_at, MOST_AT_ONCE)
        self._polled_at = now
        for partition in self._partitions:
            self._silence[partition] = self._silence.get(partition, 0.0) + passed

    def _taken(self, messages: Messages, decoded: Decoded) -> Taken:
        partition = messages.partition
        self._idle.discard(partition)
        self._silence[partition] = 0.0
        woken = self._woken(messages)
        self.positions[partition] = messages.last
        return replace(self._read(messages, decoded), woken=woken)

    def _read(self, messages: Messages, decoded: Decoded) -> Taken:
        own = self.watermarks.own(messages.partition) if self.watermarks else None
        horizon = self.watermarks.horizon if self.watermarks else None
        positions = messages.positions if decoded.origins is None else messages.positions.take(decoded.origins)
        rows = self._with_facts(messages, decoded)
        arrived = Arrived(self.name, messages.partition, rows, positions, own, horizon)
        dead = tuple(_dead(messages, found) for found in decoded.unreadable)
        return Taken(arrived, len(messages), messages.payloads.nbytes, messages.last, dead)

    def _woken(self, messages: Messages) -> Woken | None:
        """Whether others have gone on without the partition, now or when these messages were read before."""
        if self.watermarks is None or self.watermarks.ended:
            return None
        partition, position = messages.partition, str(messages.positions[0].as_py())
        own, then = self.watermarks.own(partition), self.wakes.horizon_at(partition, position)
        horizon = max((known for known in (self.watermarks.horizon, then) if known is not None), default=None)
        if horizon is None or (own is not None and own >= horizon):
            return None
        woken = Woken(partition, position, horizon)
        self.watermarks.woke(woken)
        if self.source.replayable:
            self.wakes.note(woken)
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
