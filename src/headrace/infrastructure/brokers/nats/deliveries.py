"""Deliveries of JetStream as messages in columns. Not where they come from."""

from __future__ import annotations

from collections.abc import Sequence

from headrace.business.ports import Position
from headrace.business.streams.messages import Messages
from headrace.infrastructure.brokers.message_columns import binary, headers_of
from headrace.infrastructure.brokers.nats.protocol import Received, header_lines

#: Words of the subject by which a delivery is acknowledged, and where among them stand the sequence in the stream and the time in
#: nanoseconds: `$JS.ACK.<stream>.<consumer>.<deliveries>.<sequence>...`; behind `ACK` newer servers may say domain and account.
_SHORT, _DELIVERIES, _SEQUENCE, _TIME, _DOMAIN = 9, 4, 5, 7, 2


def messages_of(partition: str, got: Sequence[Received], last: str | None = None) -> Messages:
    """Some deliveries in their order. `last` is the position behind them where that is not the sequence of the last one."""
    import pyarrow as pa
    import pyarrow.compute as pc

    words = pc.split_pattern(pa.array([one.reply for one in got], pa.binary()).cast(pa.string()), ".")
    shift = 0 if len(got[0].reply.split(b".")) == _SHORT else _DOMAIN
    sequences = pc.list_element(words, _SEQUENCE + shift).cast(pa.int64())
    times = pc.divide(pc.list_element(words, _TIME + shift).cast(pa.int64()), 1000)
    return Messages(
        partition,
        binary([one.payload for one in got]),
        sequences,
        Position(last or str(sequences[-1].as_py())),
        keys=pa.array([one.subject for one in got], pa.binary()),
        published_at=times.cast(pa.timestamp("us", "UTC")),
        headers=headers_of([list(header_lines(one.headers)) if one.headers else None for one in got]),
    )


def sequence_of(one: Received) -> int:
    words = one.reply.split(b".")
    return int(words[_SEQUENCE if len(words) == _SHORT else _SEQUENCE + _DOMAIN])


def is_repeated(one: Received) -> bool:
    """Whether it was delivered before."""
    words = one.reply.split(b".")
    return words[_DELIVERIES if len(words) == _SHORT else _DELIVERIES + _DOMAIN] != b"1"
