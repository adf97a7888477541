"""The connection `rabbitmq`: how a RabbitMQ server is reached, for queues and for streams. Not what is read from it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from headrace.business.connections import Answer, Profile
from headrace.infrastructure.brokers.broker_connection import Address, BrokerConnection, ReachedBroker, Scheme
from headrace.infrastructure.brokers.rabbitmq.faults import rabbitmq_faults
from headrace.infrastructure.brokers.rabbitmq.stream_protocol import StreamProtocol
from headrace.infrastructure.brokers.wire import Wire, wire_faults
from headrace.infrastructure.round_trips import round_trip_ms
from headrace.security.secrets import Secret

if TYPE_CHECKING:
    import pika

_URL = "amqp://user@host:port/virtual-host, with the password as ${secret:env/NAME}; amqps:// with TLS"
_STREAMS, _STREAMS_BY_TLS = 5552, 5551
#: A worker that is busy for longer than twice this without a poll is taken for dead, and its messages go to others.
_HEARTBEAT_SECONDS = 300


class RabbitMQConnection(BrokerConnection):
    """A virtual host of a RabbitMQ server: by `url`, or by its parts."""

    kind: ClassVar[str] = "rabbitmq"
    schemes: ClassVar[Mapping[str, Scheme]] = {"amqp": Scheme(5672, encrypted=False), "amqps": Scheme(5671, encrypted=True)}

    url: Secret | None = Field(None, description=_URL)
    virtual_host: str = Field("/", min_length=1, description="Where `url` names none")
    stream_port: Annotated[int, Field(ge=1, le=65_535)] | None = Field(
        None, description=f"The port for streams: {_STREAMS} unless said, {_STREAMS_BY_TLS} with TLS"
    )

    @property
    def streams(self) -> Address:
        """Where streams are spoken to."""
        found = self.address
        port = self.stream_port or (_STREAMS if self.tls_mode == "off" else _STREAMS_BY_TLS)
        return Address(found.host, port, found.user or "guest", found.password or "guest", self._virtual_host, found.encrypted)

    @property
    def _virtual_host(self) -> str:
        return self.address.path or self.virtual_host

    def parameters(self, home: Path) -> pika.ConnectionParameters:
        """What the driver has to be told. It tries nothing again by itself, and what it has to say we say."""
        import pika

        logging.getLogger("pika").setLevel(logging.CRITICAL)
        found = self.address
        encrypted = None if self.tls_mode == "off" else pika.SSLOptions(self.tls_context(home), found.host)
        return pika.ConnectionParameters(
            found.host, found.port, self._virtual_host, pika.PlainCredentials(found.user or "guest", found.password or "guest"),
            ssl_options=encrypted, connection_attempts=1, socket_timeout=self.connect_seconds, stack_timeout=self.connect_seconds,
            blocked_connection_timeout=self.connect_seconds, heartbeat=lambda _connection, _proposed: _HEARTBEAT_SECONDS,
            client_properties={"connection_name": "headrace"},
        )  # fmt: skip

    def connect(self, home: Path) -> Any:
        """An open connection of pika's that is used by one thread. Raises its errors."""
        import pika

        return pika.BlockingConnection(self.parameters(home))

    def connect_to(self, stream: str, home: Path) -> StreamProtocol:
        """An open connection to a server that has the stream. Raises our errors."""
        at, shown = self.streams, f"{self.shown()}, stream `{stream}`"
        protocol = self._speaking(at, at.host, at.port, shown, home)
        with ExitStack() as opened:
            opened.callback(protocol.close)
            with wire_faults(shown):
                there = protocol.served_at(stream)
            if len(there) < 2 or (at.host, at.port) in there:
                opened.pop_all()
                return protocol
        return self._speaking(at, *there[0], shown, home)

    def _speaking(self, at: Address, host: str, port: int, shown: str, home: Path) -> StreamProtocol:
        with wire_faults(f"{shown} (port {port})"), ExitStack() as opened:
            wire = Wire(host, port, self.connect_seconds)
            opened.callback(wire.close)
            if self.tls_mode != "off":
                wire.encrypt(self.tls_context(home))
            protocol = StreamProtocol(wire, shown, self.connect_seconds)
            protocol.begin(at.user or "", at.password or "", at.path)
            opened.pop_all()
            return protocol

    def reach(self, home: Path) -> Answer:
        with rabbitmq_faults(self.shown()):
            connection = self.connect(home)
            try:
                channel = connection.channel()
                took = round_trip_ms(lambda: channel.basic_qos(prefetch_count=1))
                told: Mapping[str, Any] = connection._impl.server_properties  # noqa: SLF001 - pika shows it nowhere else
            finally:
                connection.close()
        encryption = None if self.tls_mode == "off" else "TLS"
        user = self.address.user or "guest"
        return Answer(f"RabbitMQ {told.get('version', '?')}", user, encryption, self.verifies, took)


class ReachedRabbitMQ(ReachedBroker):
    """What reaches RabbitMQ: by address, or by a connection."""

    url: Secret | None = Field(None, description=f"{_URL}; or give `connection`")
    connection: Profile[RabbitMQConnection] | None = Field(
        None, description="The name of a connection of kind `rabbitmq` in headrace.toml"
    )

    @property
    def system(self) -> str:
        return self.reached.shown()

    @property
    def reached(self) -> RabbitMQConnection:
        return self.connection.connection if self.connection else RabbitMQConnection(url=self.url)
