"""An open feed of topics of Kafka: partitions that are assigned by hand, read from offsets that are kept with the checkpoints."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from headrace.business.ports import Position
from headrace.business.streams.messages import Messages, Sharing, Start
from headrace.errors import NonRetryableError
from headrace.infrastructure.brokers.collection import uncollected
from headrace.infrastructure.brokers.gaps import OnGap
from headrace.infrastructure.brokers.gathering import gathered
from headrace.infrastructure.brokers.kafka.connection import reasons, remember
from headrace.infrastructure.brokers.kafka.faults import explained, kafka_faults
from headrace.infrastructure.brokers.kafka.records import messages_of

if TYPE_CHECKING:
    from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

Place = tuple[str, int]

_GAP = "keep records longer than they are read late; `on_gap: continue` goes on with the first that is there"


@dataclass(frozen=True)
class Topics:
    """What is read: topics by name, and all whose names match a pattern. And how it is read."""

    names: Sequence[str]
    sharing: Sharing
    start: Start
    on_gap: OnGap
    commits: bool
    discover_seconds: float
    shown: str
    ask_seconds: float
    after: Mapping[str, Position] = field(default_factory=dict)


class KafkaFeed:
    """The partitions of some topics that are this member's."""

    exhausted = False

    def __init__(self, consumer: Consumer, told: list[KafkaError], topics: Topics) -> None:
        self._consumer, self._told, self._topics = consumer, told, topics
        self._next: dict[Place, int] = {}
        self._committed: dict[Place, int] = {}
        #: Where partitions had their end when it was last come to, marks included that are no records.
        self._ends: dict[Place, int] = {}
        self._looked_at = 0.0

    def open(self) -> KafkaFeed:
        """Find the partitions, and where each is begun. Raises `NonRetryableError` for a topic or a position that is not there."""
        with self._asking():
            self._assign({place: self._begin(place) for place in self._found()})
        return self

    def partitions(self) -> Sequence[str]:
        return tuple(_named(place) for place in self._next)

    def poll(self, most: int, wait_seconds: float) -> Sequence[Messages]:
        with self._asking():
            self._look_again()
            # It comes back when it has `most`, and not when there is something: so what lies ready is taken, or the first that comes.
            given = gathered(self._taken, most)
            if not given and wait_seconds > 0:
                first = self._given(self._consumer.consume(1, wait_seconds))
                given = gathered(self._taken, most, first) if first else ()
        if given:
            self._told.clear()
        elif told := reasons(self._told):
            raise explained(self._topics.shown, told[-1], told)
        return given

    def _taken(self, most: int) -> Sequence[Messages]:
        """What the client has ready."""
        with self._asking(), uncollected():
            return self._given(self._consumer.consume(most, 0.0))

    def _given(self, records: list[Message]) -> list[Messages]:
        """The records, which are given out from now on. What a broker said in place of one is kept for when nothing comes."""
        from confluent_kafka import Message

        failures = list(map(Message.error, records))
        sound = records
        if any(failures):
            sound = [record for record, failed in zip(records, failures, strict=True) if failed is None]
            for record, failed in zip(records, failures, strict=True):
                if failed is not None:
                    self._hear(record, failed)
        given = list(messages_of(sound)) if sound else []
        for messages in given:
            self._next[_place(messages.partition)] = int(messages.last) + 1
        return given

    def _hear(self, record: Message, failed: KafkaError) -> None:
        """What is said in place of a record: that a partition has come to its end, or what is wrong."""
        match failed.name():
            case "_PARTITION_EOF":  # behind the last record may be marks of transactions, which nobody is given
                place = (str(record.topic()), int(record.partition() or 0))
                self._ends[place] = int(record.offset() or 0)
            case "_AUTO_OFFSET_RESET":
                raise NonRetryableError(f"{self._topics.shown}: {failed.str()}", hint=_GAP)
            case _:
                remember(self._told, failed)

    def acknowledge(self, positions: Mapping[str, Position]) -> None:
        """With a group: commit the offsets to it, so that others see how far this stream is."""
        if not self._topics.commits:
            return
        ahead = {_place(name): int(position) + 1 for name, position in positions.items()}
        ahead = {place: offset for place, offset in ahead.items() if offset > self._committed.get(place, 0)}
        if ahead:
            with self._asking():
                self._consumer.commit(offsets=_at(ahead), asynchronous=False)
            self._committed |= ahead

    def lag(self) -> Mapping[str, int | None]:
        with self._asking():
            return {_named(place): self._waiting(place, after) for place, after in self._next.items()}

    def close(self) -> None:
        self._consumer.close()

    def _waiting(self, place: Place, after: int) -> int:
        high = self._high(place)
        return 0 if self._ends.get(place) == high else max(0, high - after)

    def _high(self, place: Place) -> int:
        """The offset behind the last record, as the last answer told it; asked for where there was none yet."""
        (partition,) = _at({place: 0})
        _, high = self._consumer.get_watermark_offsets(partition, cached=True)
        if high < self._next[place]:
            _, high = self._consumer.get_watermark_offsets(partition, timeout=self._topics.ask_seconds)
        return int(high)

    def _look_again(self) -> None:
        """Take in partitions that were added, each from its first record on."""
        if time.monotonic() - self._looked_at < self._topics.discover_seconds:
            return
        if added := [place for place in self._found() if place not in self._next]:
            from confluent_kafka import OFFSET_BEGINNING

            self._consumer.incremental_assign(_at(dict.fromkeys(added, OFFSET_BEGINNING)))
            self._next |= dict.fromkeys(added, 0)

    def _found(self) -> Sequence[Place]:
        """The partitions that are ours now. Which those are does not change when others are added."""
        self._looked_at = time.monotonic()
        whole = any(name.startswith("^") for name in self._topics.names)
        if whole:
            told = self._consumer.list_topics(timeout=self._topics.ask_seconds).topics
        else:
            told = {}
            for name in self._topics.names:
                told |= self._consumer.list_topics(name, timeout=self._topics.ask_seconds).topics
        return [
            (topic, partition)
            for ordinal, topic in enumerate(_chosen(self._topics.names, told, self._topics.shown))
            for partition in sorted(told[topic].partitions)
            if self._topics.sharing.mine(partition + (0 if whole else ordinal))
        ]

    def _assign(self, offsets: Mapping[Place, int]) -> None:
        self._next = dict(offsets)
        self._consumer.assign(_at(offsets))

    def _begin(self, place: Place) -> int:
        from confluent_kafka import OFFSET_END

        (partition,) = _at({place: 0})
        low, high = self._consumer.get_watermark_offsets(partition, timeout=self._topics.ask_seconds)
        if given := self._topics.after.get(_named(place)):
            return self._checked(place, given, low)
        match self._topics.start:
            case "earliest":
                return int(low)
            case "latest":
                return int(high)
            case datetime() as moment:
                asked = _at({place: int(moment.timestamp() * 1000)})
                (found,) = self._consumer.offsets_for_times(asked, timeout=self._topics.ask_seconds)
                return int(high) if found.offset in (OFFSET_END, -1) else int(found.offset)

    def _checked(self, place: Place, position: Position, low: int) -> int:
        """The offset to go on with, if what stands behind the position is still there. That it stands behind the last record of a topic
        that was made anew, the broker says when it is read."""
        where = f"partition {place[1]} of the topic `{place[0]}` of {self._topics.shown}"
        if not position.isdecimal():
            raise NonRetryableError(
                f"`{position}` is no position in {where}", hint="a position is the offset of a record, such as 41"
            )
        wanted = int(position) + 1
        if wanted < low and self._topics.on_gap == "fail":
            raise NonRetryableError(f"{where} cannot be read on behind {position}: its first record is {low}", hint=_GAP)
        return max(wanted, low)

    def _asking(self) -> Any:
        return kafka_faults(self._topics.shown, self._told)


def _chosen(names: Sequence[str], told: Mapping[str, Any], shown: str) -> Sequence[str]:
    """The topics that are meant, of those that are there."""
    import re

    there = [topic for topic, facts in told.items() if facts.error is None and facts.partitions]
    chosen: list[str] = []
    for name in names:
        if name.startswith("^"):
            chosen += sorted(topic for topic in there if re.match(name, topic) and topic not in chosen)
        elif name in there:
            chosen.append(name)
        else:
            failed = told[name].error if name in told else None
            if failed is not None and failed.name() != "UNKNOWN_TOPIC_OR_PART":
                raise explained(shown, failed)
            raise NonRetryableError(
                f"there is no topic `{name}` at {shown}",
                hint="see that it is spelt right, or create it with its partitions first",
            )
    return chosen


def _at(offsets: Mapping[Place, int]) -> list[TopicPartition]:
    from confluent_kafka import TopicPartition

    return [TopicPartition(topic, partition, offset) for (topic, partition), offset in offsets.items()]


def _named(place: Place) -> str:
    return f"{place[0]}/{place[1]}"


def _place(name: str) -> Place:
    topic, _, partition = name.rpartition("/")
    return topic, int(partition)
