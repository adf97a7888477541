"""MQTT as the kit of brokers wants it: a topic and a session of its own, over a relay that can be cut."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path

from tests.conformance.brokers.bytes_format import UNREAD
from tests.integration.mosquitto_server import MosquittoServer

from headrace.business.streams.messages import Sharing
from headrace.infrastructure.brokers.mqtt.connection import MqttConnection, passing_session
from headrace.infrastructure.brokers.mqtt.source import MqttSource
from headrace.infrastructure.relay import Relay
from headrace.security.secrets import Secret

_NUMBERS = count()


class MqttUnderTest:
    """A topic that was subscribed to before: what is published earlier does not come. Headers have to be text, which the kit's are not."""

    carries = frozenset({"empty", "any bytes", "large"})
    can = frozenset({"restart", "share"})

    def __init__(self, server: MosquittoServer, relay: Relay) -> None:
        name = f"kit/{next(_NUMBERS)}"
        self.server, self.relay, self.partitions = server, relay, (name,)
        self.source = MqttSource(url=Secret(f"mqtt://{relay.address}"), topic=name, client_id=name, format=UNREAD)
        self.source.feed(Path(), Sharing("kit"), {}).close()

    def publish(
        self,
        partition: str,
        payloads: Sequence[bytes | None],
        key: bytes | None = None,
        headers: Mapping[str, bytes] | None = None,
    ) -> None:
        protocol = MqttConnection(url=Secret(self.server.url)).connect(Path(), passing_session())
        protocol.publish(partition, [(payload or b"", b"") for payload in payloads], retain=False)
        protocol.close()

    def grow(self) -> str:
        raise AssertionError("there is one topic")

    def restart(self) -> None:
        self.relay.cut()
