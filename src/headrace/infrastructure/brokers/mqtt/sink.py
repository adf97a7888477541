"""The sink `mqtt`: rows become messages of a topic, each acknowledged by the server before the epoch is done."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from headrace.business.model.schema import Schema
from headrace.business.streams.messages import MessageFormat
from headrace.errors import HeadraceError
from headrace.infrastructure.brokers.message_sink import MessageOutlet, MessageSink
from headrace.infrastructure.brokers.mqtt import packets
from headrace.infrastructure.brokers.mqtt.connection import MqttConnection, ReachedMqtt, passing_session
from headrace.infrastructure.brokers.mqtt.protocol import MqttProtocol
from headrace.infrastructure.brokers.wire import wire_faults


class MqttSink(ReachedMqtt, MessageSink):
    """A topic of an MQTT 5 server."""

    kind: ClassVar[str] = "mqtt"
    shorthand: ClassVar[str | None] = "topic"

    topic: str = Field(pattern=r"^[^+#]+$", description="The topic to publish to")
    retain: bool = Field(False, description="Whether the server keeps the last message for those who subscribe later")

    def target(self, project: Path) -> str:  # noqa: ARG002 - a server is where it is
        return f"{self.reached.shown()} ({self.topic})"

    def stream_guarantee(self) -> str:
        return (
            "at least once: the server acknowledges each message (QoS 1), and an epoch that was interrupted is sent again; a message's "
            "user property `id` tells a repeat"
        )

    def outlet(self, project: Path, stream: str, schema: Schema) -> MessageOutlet:
        format_: MessageFormat = self.format  # type: ignore[assignment]
        sender = MqttSender(self.reached, self.home, self.topic, stream, retain=self.retain)
        return MessageOutlet(sender, schema, format_.writer(schema, project), self.target(project))


class MqttSender:
    """Publishes an epoch over a connection that is made anew when it broke."""

    def __init__(self, connection: MqttConnection, home: Path, topic: str, stream: str, *, retain: bool) -> None:
        self._connection, self._home, self._topic, self._stream, self._retain = connection, home, topic, stream, retain
        self._protocol: MqttProtocol | None = None

    def send(self, epoch: int, payloads: Sequence[bytes]) -> int:
        try:
            with wire_faults(self._connection.shown()):
                if self._protocol is None:
                    self._protocol = self._connection.connect(self._home, passing_session())
                named = [(payload, self._id(epoch, n)) for n, payload in enumerate(payloads)]
                self._protocol.publish(self._topic, named, retain=self._retain)
        except HeadraceError:
            self.close()
            raise
        return 0

    def close(self) -> None:
        protocol, self._protocol = self._protocol, None
        if protocol is not None:
            with suppress(OSError):
                protocol.leave()
            protocol.close()

    def _id(self, epoch: int, number: int) -> bytes:
        return bytes([packets.USER_PROPERTY]) + packets.text("id") + packets.text(f"{self._stream}/{epoch}/{number}")
