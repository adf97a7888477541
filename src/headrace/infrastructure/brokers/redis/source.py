"""The source `redis`: streams of a Redis or Valkey server, each a partition, read behind the id that was read last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from headrace.business.ports import Position
from headrace.business.streams.messages import Feed, Sharing, Start
from headrace.infrastructure.brokers.gaps import OnGapOption
from headrace.infrastructure.brokers.message_options import MessageOptions, OneOrMore
from headrace.infrastructure.brokers.redis.feed import RedisFeed
from headrace.infrastructure.redis.connection import SLOW, ReachedRedis, fast


class RedisSource(ReachedRedis, MessageOptions):
    """Streams of a Redis or Valkey server."""

    kind: ClassVar[str] = "redis"
    shorthand: ClassVar[str | None] = "stream"

    stream: OneOrMore = Field(
        description="The key of the stream, or several keys; each is a partition. None has to be there yet"
    )
    field: str | None = Field(
        None,
        description="The field of an entry that holds the message; its other fields are headers. Without, an entry is one JSON object "
        "of all its fields",
    )
    group: str | None = Field(
        None, description="A consumer group that is moved along behind every checkpoint, so that others see how far this is"
    )
    on_gap: OnGapOption = "fail"

    @property
    def replayable(self) -> bool:
        return True

    def durability(self) -> Sequence[str]:
        told = [
            "Redis may lose what it took last when it dies: a second of it with `appendfsync everysec`, nothing with `always`.",
            "Without an append-only file it loses all that came since its last snapshot.",
            "A replica that takes over may lack what its primary took last.",
        ]
        return told if fast() else [*told, f"{SLOW}."]

    def feed(self, project: Path, sharing: Sharing, after: Mapping[str, Position], start: Start | None = None) -> Feed:  # noqa: ARG002
        mine = [stream for number, stream in enumerate(self.stream) if sharing.mine(number)]
        feed = RedisFeed(
            self.client(), self.reached.shown(), self.field, self.group, self.on_gap, float(self.reached.connect_seconds)
        )
        return feed.open(mine, after, start or self.start)
