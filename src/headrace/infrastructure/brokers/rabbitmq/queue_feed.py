"""An open feed of a queue: messages wait here until they are asked for, and at the server until they are acknowledged."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from headrace.business.ports import Position
from headrace.business.streams.messages import Messages
from headrace.errors import HeadraceError
from headrace.infrastructure.brokers.message_columns import binary, headers_of
from headrace.infrastructure.brokers.rabbitmq.amqp_messages import as_bytes
from headrace.infrastructure.brokers.rabbitmq.faults import rabbitmq_faults


class QueueFeed:
    """One queue. Positions count what came to this feed: the server knows a message by its connection alone."""

    exhausted = False

    def __init__(self, connect: Callable[[], Any], shown: str, queue: str, prefetch: int) -> None:
        self._connect, self._shown, self._queue, self._prefetch = connect, shown, queue, prefetch
        self._connection: Any = None
        self._channel: Any = None
        self._arrived: deque[tuple[Any, Any, bytes]] = deque()
        self._given = 0
        #: How many had been given out when this connection was opened, and the server's number of each given out since.
        self._before = 0
        self._tags: deque[int] = deque()

    def open(self) -> QueueFeed:
        with self._connected():
            return self

    def partitions(self) -> Sequence[str]:
        return (self._queue,)

    def poll(self, most: int, wait_seconds: float) -> Sequence[Messages]:
        deadline = time.monotonic() + wait_seconds
        with self._connected() as connection:
            connection.process_data_events(time_limit=0)
            while not self._arrived and (left := deadline - time.monotonic()) > 0:
                connection.process_data_events(time_limit=left)
        got = [self._arrived.popleft() for _ in range(min(most, len(self._arrived)))]
        return [self._messages(got)] if got else []

    def acknowledge(self, positions: Mapping[str, Position]) -> None:
        position = positions.get(self._queue)
        with self._connected():
            done = 0 if position is None else min(int(position), self._given) - self._before
            if done <= 0:
                return
            tags = [self._tags.popleft() for _ in range(done)]
            self._before += done
            self._channel.basic_ack(tags[-1], multiple=True)

    def lag(self) -> Mapping[str, int | None]:
        with self._connected() as connection:
            waiting = self._channel.queue_declare(self._queue, passive=True).method.message_count
            connection.process_data_events(time_limit=0)  # what was on its way is not counted there any more
            return {self._queue: waiting + len(self._arrived)}

    def close(self) -> None:
        """Give back what was not acknowledged, so that the server hands it out again in its place."""
        connection, self._connection = self._connection, None
        if connection is None or not connection.is_open:
            return
        with suppress(HeadraceError), rabbitmq_faults(self._shown):
            if self._channel is not None and self._channel.is_open:
                self._channel.close()  # who asked for them back one by one would get them behind all others, of a quorum queue
            connection.close()

    def _messages(self, got: Sequence[tuple[Any, Any, bytes]]) -> Messages:
        import pyarrow as pa

        first, self._given = self._given + 1, self._given + len(got)
        self._tags.extend(method.delivery_tag for method, _, _ in got)
        stamps = [None if properties.timestamp is None else int(properties.timestamp) * 1_000_000 for _, properties, _ in got]
        return Messages(
            self._queue,
            binary([body for _, _, body in got]),
            pa.array(range(first, self._given + 1), pa.int64()),
            Position(str(self._given)),
            keys=pa.array([method.routing_key.encode() for method, _, _ in got], pa.binary()),
            published_at=pa.array(stamps, pa.int64()).cast(pa.timestamp("us", "UTC")),
            headers=headers_of([_headers(properties.headers) for _, properties, _ in got]),
        )

    @contextmanager
    def _connected(self) -> Iterator[Any]:
        try:
            with rabbitmq_faults(self._shown):
                if self._connection is None:
                    self._begin()
                yield self._connection
        except HeadraceError:
            self.close()
            raise

    def _begin(self) -> None:
        self._connection = self._connect()
        self._channel = self._connection.channel()
        self._channel.basic_qos(prefetch_count=self._prefetch)
        self._arrived.clear()
        self._tags.clear()
        self._before = self._given
        arrived = self._arrived
        self._channel.basic_consume(
            self._queue, lambda _channel, method, properties, body: arrived.append((method, properties, body))
        )


def _headers(table: Mapping[str, Any] | None) -> list[tuple[str, bytes]] | None:
    return [(name, as_bytes(value)) for name, value in table.items()] if table else None
