"""Reads feeds for the laws of brokers: until so much has come, or nothing more does. Not a law by itself."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from headrace.business.ports import Position
from headrace.business.streams.messages import Fact, Feed, Messages, facts
from headrace.errors import RetryableError
from headrace.testing.laws import demand

#: How long it is waited for what has to come, on a machine that is busy.
PATIENCE_SECONDS = 90.0
#: How long nothing has to come until it is taken for certain that nothing does.
QUIET_SECONDS = 0.4
_FACTS: tuple[Fact, ...] = ("key_bytes", "headers", "published_at")


@dataclass
class Fetched:
    """What came out of feeds, by partition and in order."""

    payloads: dict[str, list[bytes | None]] = field(default_factory=dict)
    positions: dict[str, list[Any]] = field(default_factory=dict)
    lasts: dict[str, list[Position]] = field(default_factory=dict)
    """`Messages.last`, of each time that some came."""
    facts: dict[str, dict[str, list[Any]]] = field(default_factory=dict)

    @property
    def count(self) -> int:
        return sum(map(len, self.payloads.values()))

    @property
    def ends(self) -> dict[str, Position]:
        """Behind what came last, of each partition."""
        return {partition: lasts[-1] for partition, lasts in self.lasts.items()}

    def take(self, some: Iterable[Messages]) -> None:
        for messages in some:
            partition, length = messages.partition, len(messages)
            for name in ("positions", "keys", "published_at", "headers"):
                array = getattr(messages, name)
                demand(array is None or len(array) == length, f"`{name}` of {length} messages has another length")
            if not length:
                continue
            demand(
                str(messages.payloads.type) in ("binary", "large_binary"), f"payloads are {messages.payloads.type}, not binary"
            )
            demand(str(messages.positions.type) in ("int64", "string"), f"positions are {messages.positions.type}")
            demand(isinstance(messages.last, str), f"`last` is {messages.last!r}, not a text")
            self.payloads.setdefault(partition, []).extend(messages.payloads.to_pylist())
            self.positions.setdefault(partition, []).extend(messages.positions.to_pylist())
            self.lasts.setdefault(partition, []).append(messages.last)
            told = self.facts.setdefault(partition, {fact: [] for fact in _FACTS})
            for fact in _FACTS:
                told[fact] += facts(messages, fact).to_pylist()

    def into(self, more: Fetched) -> None:
        """Put behind this what came of other partitions, or later."""
        for partition, payloads in more.payloads.items():
            self.payloads.setdefault(partition, []).extend(payloads)

    def once(self) -> dict[str, list[bytes | None]]:
        """Each payload where it came first."""
        return {partition: list(dict.fromkeys(payloads)) for partition, payloads in self.payloads.items()}


def fetch(
    feed: Feed,
    due: int,
    into: Fetched | None = None,
    *,
    most: int = 1000,
    wait: float = 0.2,
    quiet: bool = False,
    once: bool = False,
    patient: bool = False,
) -> Fetched:
    """What comes out of a feed, behind what is in `into`, until there are `due` messages; with `quiet` also until nothing more comes.

    With `once` a message that comes twice counts once. With `patient` the broker may be away.
    """
    got, deadline, still = into or Fetched(), time.monotonic() + PATIENCE_SECONDS, 0.0

    def there() -> int:
        return sum(map(len, got.once().values())) if once else got.count

    while (before := there()) < due or (quiet and still < QUIET_SECONDS):
        demand(time.monotonic() < deadline, f"{due} messages had to come, and {before} did in {PATIENCE_SECONDS:.0f} seconds")
        begun = time.monotonic()
        try:
            got.take(feed.poll(most, wait if before < due else QUIET_SECONDS))
        except RetryableError:
            if not patient:
                raise
            time.sleep(0.05)
        still = still + time.monotonic() - begun if due <= before == there() else 0.0
    return got


def fetch_all(feeds: Sequence[Feed], due: int) -> list[Fetched]:
    """What comes out of each of some feeds, in turns, until there are `due` messages in all and nothing more comes."""
    got, deadline, still = [Fetched() for _ in feeds], time.monotonic() + PATIENCE_SECONDS, 0
    while (before := sum(some.count for some in got)) < due or still < 2:
        demand(time.monotonic() < deadline, f"{due} messages had to come, and {before} did in {PATIENCE_SECONDS:.0f} seconds")
        for feed, some in zip(feeds, got, strict=True):
            some.take(feed.poll(1000, 0.2))
        still = still + 1 if due <= before == sum(some.count for some in got) else 0
    return got
