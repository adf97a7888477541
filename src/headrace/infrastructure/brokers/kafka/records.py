"""The records that a client of Kafka gives as messages, by partition. Each fact of all records is taken in one go."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
    places = [(record.topic(), record.partition()) for record in records]
    if places.count(places[0]) == len(places):
        yield _of_one(_named(places[0]), records)
        return
    parted: dict[tuple[str | None, int | None], list[Message]] = {}
    for record, place in zip(records, places, strict=True):
        parted.setdefault(place, []).append(record)
    for place, some in parted.items():
        yield _of_one(_named(place), some)


def _named(place: tuple[str | None, int | None]) -> str:
    return f"{place[0]}/{place[1]}"


def _of_one(partition: str, records: Sequence[Message]) -> Messages:
    import pyarrow as pa

    offsets = [record.offset() for record in records]
    keys = [record.key() for record in records]
    headers: list[Any] = [record.headers() for record in records]
    return Messages(
        partition,
        binary([record.value() for record in records]),
        pa.array(offsets, pa.int64()),
        Position(str(offsets[-1])),
        keys=None if not any(keys) and keys.count(None) == len(keys) else pa.array(keys, pa.binary()),
        published_at=_times([record.timestamp() for record in records]),
        headers=headers_of(headers),
    )


def _times(stamps: Sequence[tuple[int, int]]) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    milliseconds = pa.array([stamp[1] for stamp in stamps], pa.int64())
    if any(stamp[0] == _NO_TIME for stamp in stamps):
        known = pa.array([stamp[0] != _NO_TIME for stamp in stamps])
        milliseconds = pc.if_else(known, milliseconds, pa.scalar(None, pa.int64()))
    return pc.multiply(milliseconds, 1000).cast(pa.timestamp("us", "UTC"))
