"""The source `nats`: a stream of JetStream, read by sequence, or handed out by a durable consumer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, ClassVar, Self

from pydantic import BeforeValidator, Field, model_validator

from headrace.business.ports import Position
from headrace.business.streams.messages import Feed, Sharing, Start
from headrace.errors import NonRetryableError
from headrace.infrastructure.brokers.gaps import OnGapOption
from headrace.infrastructure.brokers.message_options import MessageOptions
from headrace.infrastructure.brokers.nats.connection import ReachedNats
from headrace.infrastructure.brokers.nats.feed import NatsFeed
from headrace.infrastructure.brokers.nats.jetstream import JetStream
from headrace.infrastructure.brokers.nats.lanes import Lane, OwnLane, SharedLane

Subjects = Annotated[tuple[str, ...], BeforeValidator(lambda written: (written,) if isinstance(written, str) else written)]
_NAME = r"^[^\s.*>/\\]+$"

_UNSYNCED = (
    "NATS acknowledges what is published before it is on disk, and a server that dies may lose up to two minutes of it, unless its "
    "`sync_interval` is `always`; replicas on several servers make that rare."
)
_TWICE = (
    "What is not behind a checkpoint after {:g} seconds, or when a worker dies, is handed out again, and may be there twice."
)


class NatsSource(ReachedNats, MessageOptions):
    """A stream of NATS JetStream."""

    kind: ClassVar[str] = "nats"
    shorthand: ClassVar[str | None] = "stream"

    stream: str = Field(pattern=_NAME, description="The name of the stream")
    subjects: Subjects = Field(
        (),
        description="Of the stream only these subjects, each a partition of its own; all of it as one partition when left out",
    )
    consumer: str | None = Field(
        None,
        pattern=_NAME,
        description="A durable consumer that hands messages out to all who name it, and keeps each until it is acknowledged behind a "
        "checkpoint: for streams that are work queues. Such messages cannot be replayed. It is made when it is not there",
    )
    ack_seconds: Annotated[float, Field(gt=0)] = Field(
        30.0, description="With `consumer`: after so long without a checkpoint a message is handed out again"
    )
    on_gap: OnGapOption = "fail"
    fetch: Annotated[int, Field(ge=1, le=100_000)] = Field(
        5000, description="How many messages are underway or wait at the most"
    )

    @model_validator(mode="after")
    def _ack_seconds_is_of_a_consumer(self) -> Self:
        if self.consumer is None and "ack_seconds" in self.model_fields_set:
            raise ValueError("`ack_seconds` is for a `consumer`: without one nothing is acknowledged")
        if self.consumer is not None and "on_gap" in self.model_fields_set:
            raise ValueError("`on_gap` is for reading without a `consumer`, which hands out what is there")
        return self

    @property
    def replayable(self) -> bool:
        return self.consumer is None

    def durability(self) -> Sequence[str]:
        noticed = ": where all subjects are read, `on_gap` says what happens then" if self.replayable else ""
        told = [_UNSYNCED, f"What a stream's limits drop before it is read is lost{noticed}."]
        if not self.replayable:
            told.append(_TWICE.format(self.ack_seconds))
        return told

    def feed(self, project: Path, sharing: Sharing, after: Mapping[str, Position], start: Start | None = None) -> Feed:  # noqa: ARG002
        reached, shown = self.reached, f"{self.reached.shown()}, stream `{self.stream}`"

        def connect() -> JetStream:
            return JetStream(reached.connect(self.home), reached.shown(), self.stream)

        lanes = self._lanes(sharing, after, start or self.start)

        def settle(stream: JetStream) -> None:
            stream.standing()
            for lane in lanes:
                if isinstance(lane, OwnLane):
                    lane.find_start(shown, stream)

        return NatsFeed(connect, shown, lanes).open(settle)

    def _lanes(self, sharing: Sharing, after: Mapping[str, Position], start: Start) -> Sequence[Lane]:
        if self.consumer is not None:
            return [SharedLane(self.consumer, self.subjects, self.fetch, start, self.ack_seconds)]
        parts: dict[str, str | None] = {subject: subject for subject in self.subjects} or {self.stream: None}
        return [
            OwnLane(name, subject, self.fetch, _sequence(after.get(name)), start, self.on_gap)
            for number, (name, subject) in enumerate(parts.items())
            if sharing.mine(number)
        ]


def _sequence(position: Position | None) -> int | None:
    if position is None:
        return None
    if not position.isdigit():
        raise NonRetryableError(
            f"`{position}` is no position in a stream of NATS", hint="a position is the sequence of a message, such as 1201"
        )
    return int(position)
