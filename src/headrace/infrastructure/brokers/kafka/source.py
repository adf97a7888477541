"""The source `kafka`: topics of brokers that speak the protocol of Kafka, read from offsets that are kept with the checkpoints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from headrace.business.model.durations import Duration
from headrace.business.ports import Position
from headrace.business.streams.messages import Feed, Sharing, Start
from headrace.infrastructure.brokers.gaps import OnGapOption
from headrace.infrastructure.brokers.kafka.connection import ReachedKafka
from headrace.infrastructure.brokers.kafka.feed import KafkaFeed, Topics
from headrace.infrastructure.brokers.message_options import MessageOptions, OneOrMore

if TYPE_CHECKING:
    from confluent_kafka import KafkaError


class KafkaSource(ReachedKafka, MessageOptions):
    """Topics of Kafka, or of what speaks its protocol."""

    kind: ClassVar[str] = "kafka"
    shorthand: ClassVar[str | None] = "topic"

    topic: OneOrMore = Field(
        description="The topic, or several; one that begins with ^ is a pattern for the names of topics, also of those to come"
    )
    group: str | None = Field(
        None,
        description="A consumer group that the offsets are committed to behind every checkpoint, so that others see the lag. It never "
        "decides where reading goes on",
    )
    discover: Duration = Field(
        timedelta(seconds=30), description="How often it is looked for partitions and topics that were added"
    )
    on_gap: OnGapOption = "fail"

    @property
    def replayable(self) -> bool:
        return True

    def durability(self) -> Sequence[str]:
        return (
            "Kafka keeps what as many replicas took as its producers waited for (`acks`) and the topic demands (`min.insync.replicas`).",
            "Producers that are not idempotent may have written a message twice.",
        )

    def feed(self, project: Path, sharing: Sharing, after: Mapping[str, Position], start: Start | None = None) -> Feed:  # noqa: ARG002
        from confluent_kafka import Consumer

        told: list[KafkaError] = []
        settings: dict[str, Any] = {
            **self.reached.settings(self.home, told),
            "group.id": self.group or "headrace", "enable.auto.commit": False, "enable.auto.offset.store": False,
            "enable.partition.eof": True,
            "allow.auto.create.topics": False, "auto.offset.reset": "earliest" if self.on_gap == "continue" else "error",
        }  # fmt: skip
        topics = Topics(
            self.topic, sharing, start or self.start, self.on_gap, self.group is not None, self.discover.total_seconds(),
            self.reached.shown(), float(self.reached.connect_seconds), after,
        )  # fmt: skip
        consumer = Consumer(settings)
        self.reached.asked_for_topics(consumer, told)
        return KafkaFeed(consumer, told, topics).open()
