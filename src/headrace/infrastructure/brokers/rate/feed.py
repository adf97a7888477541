"""An open feed of generated messages: when there are how many is a matter of the clock, what they hold never is."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from headrace.business.ports import Position
from headrace.business.streams.messages import Messages, MessageWriter, Start
from headrace.errors import NonRetryableError
from headrace.infrastructure.brokers.rate.fields import Generator
from headrace.records import record

if TYPE_CHECKING:
    import pyarrow as pa

#: How long it is waited at least for the next row, so that a high rate does not come row by row.
_TICK_SECONDS = 0.001


@record
class Supply:
    """How many rows there are of a partition, and how they go into messages."""

    generator: Generator
    writer: MessageWriter
    message_rows: int
    paced: bool
    key: str | None
    totals: Mapping[int, int | None]
    """By partition, of those that are ours."""


class RateFeed:
    """Generated partitions. A position is how many rows were given out up to there."""

    def __init__(self, supply: Supply, after: Mapping[str, Position], start: Start) -> None:
        self._supply = supply
        self._next = {partition: _begun(str(partition), after, start) for partition in supply.totals}
        self._opened_at, self._base = time.monotonic(), dict(self._next)

    def partitions(self) -> Sequence[str]:
        return tuple(map(str, self._next))

    def poll(self, most: int, wait_seconds: float) -> Sequence[Messages]:
        until = time.monotonic() + wait_seconds
        while not (due := {p: n for p in self._next if (n := self._due(p)) > 0}):
            left = until - time.monotonic()
            if left <= 0 or self.exhausted:
                return ()
            time.sleep(min(left, max(_TICK_SECONDS, self._supply.message_rows / self._supply.generator.pace.per_second)))
        each = max(1, most // len(due))
        return [self._given(partition, min(messages, each)) for partition, messages in due.items()]

    def acknowledge(self, positions: Mapping[str, Position]) -> None:
        """There is nothing to be forgotten."""

    def lag(self) -> Mapping[str, int | None]:
        bounded = {p: self._supply.paced or total is not None for p, total in self._supply.totals.items()}
        return {str(p): self._due(p) if known else None for p, known in bounded.items()}

    @property
    def exhausted(self) -> bool:
        return all(total is not None and self._next[p] >= total for p, total in self._supply.totals.items())

    def close(self) -> None: ...

    def _due(self, partition: int) -> int:
        """How many messages of a partition are there now and were not given out."""
        rows, total = self._next[partition], self._supply.totals[partition]
        there = total if total is not None else rows + (1 << 40)
        if self._supply.paced:
            passed = (time.monotonic() - self._opened_at) * self._supply.generator.pace.per_second
            there = min(there, self._base[partition] + int(passed))
        whole, rest = divmod(there - rows, self._supply.message_rows)
        return whole + (rest > 0 and there == total)  # the last message of all may be smaller

    def _given(self, partition: int, count: int) -> Messages:
        import pyarrow as pa
        import pyarrow.compute as pc

        first, size, total = self._next[partition], self._supply.message_rows, self._supply.totals[partition]
        end = first + count * size if total is None else min(first + count * size, total)
        rows = self._supply.generator.rows(partition, first, end - first)
        ends = pa.array([*range(first + size, end, size), end], pa.int64())
        self._next[partition] = end
        return Messages(
            str(partition),
            self._written(rows),
            ends,
            Position(str(end)),
            keys=None if self._supply.key is None else rows.column(self._supply.key).cast(pa.string()).cast(pa.binary()),
            published_at=self._supply.generator.times(pc.subtract(ends, 1)),
        )

    def _written(self, rows: pa.RecordBatch) -> pa.Array:
        import pyarrow as pa

        size = self._supply.message_rows
        if size == 1:
            payloads = self._supply.writer.write(rows)
            if len(payloads) != len(rows):
                raise NonRetryableError("the format puts several rows into a message", hint="say how many in `message_rows`")
            return payloads
        parts = [self._supply.writer.write(rows.slice(at, size)) for at in range(0, len(rows), size)]
        if any(len(part) != 1 for part in parts):
            raise NonRetryableError(
                f"the format does not put {size} rows into a message",
                hint="make `message_rows` smaller, or choose a format that holds several rows, such as ndjson",
            )
        return pa.concat_arrays(parts)


def _begun(partition: str, after: Mapping[str, Position], start: Start) -> int:
    """The number of the row to begin with."""
    position = after.get(partition)
    if position is None:
        if isinstance(start, datetime) or start == "latest":
            raise NonRetryableError(
                "generated messages begin with the first: there are none before it", hint="leave `start` out"
            )
        return 0
    if not position.isdecimal():
        raise NonRetryableError(
            f"`{position}` is no position among generated messages", hint="a position is a number of rows, such as 1000"
        )
    return int(position)
