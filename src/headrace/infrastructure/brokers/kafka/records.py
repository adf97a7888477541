"""The records that a client of Kafka gives as messages, by partition. Each fact of all records is taken in one go."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from headrace.business.ports import Position
from headrace.business.streams.messages import Messages
from headrace.infrastructure.brokers.message_columns import binary, headers_of

if TYPE_CHECKING:
    import pyarrow as pa
    from confluent_kafka import Message

#: What a record has for a time when it has none.
_NO_TIME = 0


def messages_of(records: Sequence[Message]) -> Iterator[Messages]:
    """The records of each partition, in their order."""
    from confluent_kafka import Message

    partitions, topics = list(map(Message.partition, records)), list(map(Message.topic, records))
    if partitions.count(partitions[0]) == topics.count(topics[0]) == len(records):
        yield _of_one(f"{topics[0]}/{partitions[0]}", records)
        return
    parted: dict[str, list[Message]] = {}
    for record, topic, partition in zip(records, topics, partitions, strict=True):
        parted.setdefault(f"{topic}/{partition}", []).append(record)
    for name, some in parted.items():
        yield _of_one(name, some)


def _of_one(partition: str, records: Sequence[Message]) -> Messages:
    import pyarrow as pa
    from confluent_kafka import Message

    def all_of(fact: Callable[[Message], Any]) -> list[Any]:
        return list(map(fact, records))

    offsets, keys = all_of(Message.offset), all_of(Message.key)
    return Messages(
        partition,
        binary(all_of(Message.value)),
        pa.array(offsets, pa.int64()),
        Position(str(offsets[-1])),
        keys=None if keys.count(None) == len(keys) else pa.array(keys, pa.binary()),
        published_at=_times(all_of(Message.timestamp)),
        headers=headers_of(all_of(Message.headers)),
    )


def _times(stamps: Sequence[tuple[int, int]]) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    kinds, stamped = zip(*stamps, strict=True)
    milliseconds = pa.array(stamped, pa.int64())
    if _NO_TIME in kinds:
        milliseconds = pc.if_else(pc.equal(pa.array(kinds), _NO_TIME), pa.scalar(None, pa.int64()), milliseconds)
    return pc.multiply(milliseconds, 1000).cast(pa.timestamp("us", "UTC"))
