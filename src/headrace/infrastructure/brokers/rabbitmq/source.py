"""The source `rabbitmq`: a queue, whose messages are gone when they are acknowledged, or a stream, which is read by offset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from headrace.business.ports import Position
from headrace.business.streams.messages import Feed, Sharing, Start
from headrace.infrastructure.brokers.gaps import OnGapOption
from headrace.infrastructure.brokers.message_options import MessageOptions
from headrace.infrastructure.brokers.rabbitmq.connection import ReachedRabbitMQ
from headrace.infrastructure.brokers.rabbitmq.queue_feed import QueueFeed
from headrace.infrastructure.brokers.rabbitmq.stream_feed import StreamFeed, offset_of

_OF_STREAMS = (
    "RabbitMQ confirms what is published to a stream before it is synced to disk: replicas keep it, one server that loses its power may "
    "not. What the stream's limits drop before it is read is lost: `on_gap` says what happens then."
)
_ONE = "give `queue` or `stream`"


class RabbitMQSource(ReachedRabbitMQ, MessageOptions):
    """A queue or a stream of RabbitMQ."""

    kind: ClassVar[str] = "rabbitmq"
    shorthand: ClassVar[str | None] = "queue"

    queue: str | None = Field(
        None,
        min_length=1,
        description=f"A queue, which has to be there: it hands each message to one of those who read it. Or {_ONE.removeprefix('give ')}",
    )
    stream: str | None = Field(
        None, min_length=1, description="A stream, which has to be there: it can be read again from any offset"
    )
    prefetch: Annotated[int, Field(ge=1, le=65_535)] = Field(
        20_000,
        description="Of a queue: how many messages wait here, or for the next checkpoint, at the most. Between two checkpoints no more "
        "come than this",
    )
    consumer: str | None = Field(
        None,
        min_length=1,
        description="Of a stream: a name under which the server is told behind every checkpoint how far this is",
    )

    on_gap: OnGapOption = "fail"

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.queue is None) == (self.stream is None):
            raise ValueError(_ONE + ("" if self.queue is None else ", not both"))
        for option, owner in (("prefetch", "queue"), ("consumer", "stream"), ("start", "stream"), ("on_gap", "stream")):
            if option in self.model_fields_set and getattr(self, owner) is None:
                raise ValueError(f"`{option}` is for a {owner}")
        return self

    @property
    def replayable(self) -> bool:
        return self.stream is not None

    def durability(self) -> Sequence[str]:
        if self.stream is not None:
            return (_OF_STREAMS,)
        return (
            "A quorum queue keeps what it confirmed; a classic queue keeps durable messages of a durable queue on one server.",
            "What is not behind a checkpoint when a worker dies is handed out again, and may be there twice.",
        )

    def feed(self, project: Path, sharing: Sharing, after: Mapping[str, Position], start: Start | None = None) -> Feed:  # noqa: ARG002
        reached = self.reached
        if self.queue is not None:
            shown = f"{reached.shown()}, queue `{self.queue}`"
            return QueueFeed(lambda: reached.connect(self.home), shown, self.queue, self.prefetch).open()
        stream = str(self.stream)
        mine = sharing.mine(0)
        return StreamFeed(
            lambda: reached.connect_to(stream, self.home), f"{reached.shown()}, stream `{stream}`", stream,
            offset_of(after.get(stream)), start or self.start, self.consumer, self.on_gap, reads=mine,
        ).open()  # fmt: skip
