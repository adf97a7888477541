"""RabbitMQ as the kit of brokers wants it: a quorum queue or a stream of its own. What is read passes a relay that can be cut."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

import pika
from tests.conformance.brokers.bytes_format import UNREAD
from tests.integration.rabbitmq_server import RabbitMQServer

from headrace.business.connections import Profile
from headrace.infrastructure.brokers.rabbitmq.connection import RabbitMQConnection
from headrace.infrastructure.brokers.rabbitmq.source import RabbitMQSource
from headrace.infrastructure.relay import Relay

_NUMBERS = count()


class RabbitMQUnderTest:
    """A queue or a stream. The server is started once for all tests and takes long for it, so that connections are cut instead."""

    def __init__(self, server: RabbitMQServer, relays: Mapping[str, Relay], by: str) -> None:
        name = f"{by}-{next(_NUMBERS)}"
        self.server, self.relay, self.partitions = server, relays[by], (name,)
        self.carries = frozenset({"headers", "empty", "any bytes", "large"} | ({"published_at"} if by == "stream" else set()))
        self.can = frozenset({"restart", "share"})
        ports = {at: int(relay.address.rpartition(":")[2]) for at, relay in relays.items()}
        connection = RabbitMQConnection(host="127.0.0.1", port=ports["queue"], stream_port=ports["stream"])
        named: dict[str, Any] = {by: name}
        self.source = RabbitMQSource(connection=Profile("broker", connection), format=UNREAD, **named)
        # Nobody attends to it between two messages, so it promises no heartbeat.
        self._publishing = pika.BlockingConnection(pika.URLParameters(f"{server.url}?heartbeat=0"))
        self._channel = self._publishing.channel()
        self._channel.confirm_delivery()
        kind = {"queue": "quorum", "stream": "stream"}[by]
        self._channel.queue_declare(name, durable=True, arguments={"x-queue-type": kind})

    def publish(
        self,
        partition: str,
        payloads: Sequence[bytes | None],
        key: bytes | None = None,
        headers: Mapping[str, bytes] | None = None,
    ) -> None:
        for payload in payloads:
            properties = pika.BasicProperties(headers=dict(headers) if headers else None, delivery_mode=2)
            self._channel.basic_publish("", partition, payload or b"", properties)

    def grow(self) -> str:
        raise AssertionError("there is one queue")

    def restart(self) -> None:
        self.relay.cut()

    def close(self) -> None:
        self._publishing.close()
