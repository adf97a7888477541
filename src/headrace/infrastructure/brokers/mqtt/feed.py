"""An open feed of MQTT topics: the server keeps what was not acknowledged, in a session that outlives the connection and the process."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from headrace.business.ports import Position
from headrace.business.streams.messages import Messages
from headrace.errors import HeadraceError
from headrace.infrastructure.brokers import gathering
from headrace.infrastructure.brokers.message_columns import binary, headers_of
from headrace.infrastructure.brokers.mqtt import packets
from headrace.infrastructure.brokers.mqtt.packets import Published
from headrace.infrastructure.brokers.mqtt.protocol import MqttProtocol
from headrace.infrastructure.brokers.wire import wire_faults


class MqttFeed:
    """Some topics, as one partition. Positions count what came to this feed."""

    exhausted = False

    def __init__(self, connect: Callable[[], MqttProtocol], shown: str, name: str, topics: Sequence[str]) -> None:
        self._connect, self._shown, self._name, self._topics = connect, shown, name, topics
        self._protocol: MqttProtocol | None = None
        self._arrived: deque[Published] = deque()
        self._size = 0
        self._given = self._acknowledged = 0
        #: The numbers of what was given out and not acknowledged; None where none is wanted.
        self._open: deque[int | None] = deque()

    def open(self) -> MqttFeed:
        with self._connected():
            return self

    def partitions(self) -> Sequence[str]:
        return (self._name,)

    def poll(self, most: int, wait_seconds: float) -> Sequence[Messages]:
        deadline = time.monotonic() + wait_seconds
        with self._connected() as protocol:
            while len(self._arrived) < most and self._size < gathering.MOST_BYTES:  # what else comes waits in the socket
                wait = 0.0 if self._arrived else max(0.0, deadline - time.monotonic())
                came = protocol.receive(wait)
                self._arrived.extend(came)
                self._size += _size(came)
                if not came and (self._arrived or time.monotonic() >= deadline):
                    break
        got = [self._arrived.popleft() for _ in range(min(most, len(self._arrived)))]
        self._size -= _size(got)
        return [self._messages(got)] if got else []

    def acknowledge(self, positions: Mapping[str, Position]) -> None:
        position = positions.get(self._name)
        with self._connected() as protocol:
            done = 0 if position is None else min(int(position), self._given) - self._acknowledged
            if done <= 0:
                return
            numbers = [self._open.popleft() for _ in range(done)]
            self._acknowledged += done
            protocol.acknowledge([number for number in numbers if number is not None])

    def lag(self) -> Mapping[str, int | None]:
        """MQTT has no word for how much waits; asking shows that the server is there."""
        with self._connected() as protocol:
            protocol.ping()
        return {self._name: None}

    def close(self) -> None:
        protocol, self._protocol = self._protocol, None
        if protocol is not None:
            with suppress(HeadraceError), wire_faults(self._shown):
                protocol.ping()  # what was acknowledged has been seen
                protocol.leave()
            protocol.close()

    def _messages(self, got: Sequence[Published]) -> Messages:
        import pyarrow as pa

        first, self._given = self._given + 1, self._given + len(got)
        self._open.extend(one.number for one in got)
        return Messages(
            self._name,
            binary([one.payload for one in got]),
            pa.array(range(first, self._given + 1), pa.int64()),
            Position(str(self._given)),
            keys=pa.array([one.topic for one in got], pa.binary()),
            headers=headers_of([_headers(one.properties) if one.properties else None for one in got]),
        )

    @contextmanager
    def _connected(self) -> Iterator[MqttProtocol]:
        try:
            with wire_faults(self._shown):
                if self._protocol is None:
                    self._begin()
                assert self._protocol is not None  # noqa: S101 - it has just been made
                yield self._protocol
        except HeadraceError:
            if self._protocol is not None:
                self._protocol.close()
                self._protocol = None
            raise

    def _begin(self) -> None:
        """Take the session up. What was underway comes again: all of it is handed out once more, and may be there twice."""
        self._protocol = self._connect()
        self._arrived.clear()
        self._size = 0
        self._open.clear()
        self._acknowledged = self._given
        self._protocol.subscribe(self._topics)


def _size(messages: Sequence[Published]) -> int:
    return sum(len(one.payload) for one in messages)


def _headers(properties: bytes) -> list[tuple[str, bytes]] | None:
    return [value for kind, value in packets.properties(properties) if kind == packets.USER_PROPERTY] or None
